import { HOST_FINALIZER } from '../crds/kind.ts';
import type { KubeObject, ObjectMeta, ResourceRef } from '../crds/object.ts';
import type { ObjectKey, ObjectStore } from '../ports/object-store.ts';

interface Target {
  store: Pick<ObjectStore, 'mergePatch'>;
  ref: ResourceRef;
}

export function hasHostFinalizer({ metadata }: { metadata: ObjectMeta }): boolean {
  return metadata.finalizers?.includes(HOST_FINALIZER) ?? false;
}

/**
 * Holds `object` until whoever goes by `finalizer` is done with it. No write when it is held already; conditional on its resourceVersion.
 * @returns the object as it is now
 * @throws Conflict when it has changed meanwhile
 */
export async function addFinalizer<T extends KubeObject>(
  target: Target,
  object: T,
  finalizer: string,
  signal: AbortSignal,
): Promise<T> {
  const { finalizers = [] } = object.metadata;
  if (finalizers.includes(finalizer)) return object;
  return await writeFinalizers(target, object, [...finalizers, finalizer], signal);
}

/** Lets `object` go, likewise. */
export async function removeFinalizer(
  target: Target,
  object: KubeObject,
  finalizer: string,
  signal: AbortSignal,
): Promise<void> {
  const { finalizers = [] } = object.metadata;
  if (!finalizers.includes(finalizer)) return;
  const others = finalizers.filter((name) => name !== finalizer);
  await writeFinalizers(target, object, others, signal);
}

function writeFinalizers<T extends KubeObject>(
  { store, ref }: Target,
  { metadata }: T,
  finalizers: string[],
  signal: AbortSignal,
): Promise<T> {
  const { name, namespace, resourceVersion } = metadata;
  const key: ObjectKey = namespace === undefined ? { name } : { namespace, name };
  return store.mergePatch<T>(ref, key, { body: { metadata: { resourceVersion, finalizers } } }, signal);
}
