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
 * Holds `object` until its hosts are done with it. No write when it is held already; conditional on its resourceVersion.
 * @returns the object as it is now
 * @throws Conflict when it has changed meanwhile
 */
export async function addHostFinalizer<T extends KubeObject>(
  target: Target,
  object: T,
  signal: AbortSignal,
): Promise<T> {
  if (hasHostFinalizer(object)) return object;
  return await writeFinalizers(
    target,
    object,
    [...(object.metadata.finalizers ?? []), HOST_FINALIZER],
    signal,
  );
}

/** Lets `object` go, likewise. */
export async function removeHostFinalizer(
  target: Target,
  object: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  if (!hasHostFinalizer(object)) return;
  const others = (object.metadata.finalizers ?? []).filter((name) => name !== HOST_FINALIZER);
  await writeFinalizers(target, object, others, signal);
}

/** Likewise, whoever's they are. */
export function writeFinalizers<T extends KubeObject>(
  { store, ref }: Target,
  { metadata }: T,
  finalizers: string[],
  signal: AbortSignal,
): Promise<T> {
  const { name, namespace, resourceVersion } = metadata;
  const key: ObjectKey = namespace === undefined ? { name } : { namespace, name };
  return store.mergePatch<T>(ref, key, { body: { metadata: { resourceVersion, finalizers } } }, signal);
}
