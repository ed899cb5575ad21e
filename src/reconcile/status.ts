import type { KubeObject, ResourceRef } from '../crds/object.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { isSameJson } from './same-json.ts';

/**
 * Brings `object.status` to `status`, with a write only where the two differ. The write is conditional on
 * `object.metadata.resourceVersion`, so a decision that was taken on an old state is never recorded; `object` itself
 * stays as it is. Idempotent.
 * @returns the object with its new resourceVersion, or the same `object` when nothing differed
 * @throws Conflict when the object has changed: let it go up, the queue tries again at once, with what is there then;
 * NotFound when it is gone
 */
export async function writeStatus<T extends KubeObject & { status?: object }>(
  { store, ref }: { store: Pick<ObjectStore, 'updateStatus'>; ref: ResourceRef },
  object: T,
  status: NonNullable<T['status']>,
  signal: AbortSignal,
): Promise<T> {
  if (isSameJson(object.status ?? {}, status)) return object;
  return await store.updateStatus<T>(ref, { ...object, status }, signal);
}
