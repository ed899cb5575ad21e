import { HostlerError } from '../ports/errors.ts';
import type { ObjectStore } from '../ports/object-store.ts';

/**
 * `store`, which refuses every write once this replica does not lead any more: looked at immediately before each write,
 * on the election's own clock, whatever the events of the election have told so far.
 * @throws Aborted from each write while not leading
 */
export function leadingStore(store: ObjectStore, isLeading: () => boolean): ObjectStore {
  const whileLeading = async <T>(write: () => Promise<T>): Promise<T> => {
    if (!isLeading()) throw new HostlerError('Aborted', 'Not written: this replica does not lead any more');
    return await write();
  };
  return {
    get: (ref, key, signal) => store.get(ref, key, signal),
    list: (ref, options, signal) => store.list(ref, options, signal),
    watch: (ref, options, signal) => store.watch(ref, options, signal),
    create: (ref, object, signal) => whileLeading(() => store.create(ref, object, signal)),
    update: (ref, object, signal) => whileLeading(() => store.update(ref, object, signal)),
    updateStatus: (ref, object, signal) => whileLeading(() => store.updateStatus(ref, object, signal)),
    mergePatch: (ref, key, patch, signal) => whileLeading(() => store.mergePatch(ref, key, patch, signal)),
    delete: (ref, key, preconditions, signal) =>
      whileLeading(() => store.delete(ref, key, preconditions, signal)),
  };
}
