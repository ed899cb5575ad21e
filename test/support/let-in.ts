import type { KubeObject } from '../../src/crds/object.ts';
import { type Lease, leaseRef, REJOIN_ANNOTATION } from '../../src/crds/lease.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';

const never = new AbortController().signal;

/** In place of the leader: the store of an agent's lease, which lets the node in at once when it asks `people` for it. */
export function letIn(
  store: ObjectStore,
  people: () => ObjectStore,
): Pick<ObjectStore, 'get' | 'create' | 'update'> {
  const answer = async <T extends KubeObject>(written: T): Promise<T> => {
    const lease = written as Lease;
    const { [REJOIN_ANNOTATION]: asked, ...annotations } = lease.metadata.annotations ?? {};
    if (asked === undefined) return written;
    const spec = { ...lease.spec, holderIdentity: lease.metadata.name, leaseTransitions: 1 };
    const metadata = { ...lease.metadata, annotations };
    await people().update<Lease>(leaseRef, { ...lease, metadata, spec }, never);
    return written;
  };
  return {
    get: (ref, key, signal) => store.get(ref, key, signal),
    create: async (ref, object, signal) => await answer(await store.create(ref, object, signal)),
    update: async (ref, object, signal) => await answer(await store.update(ref, object, signal)),
  };
}
