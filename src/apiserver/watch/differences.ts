import type { StoredEntry } from '../../ports/storage.ts';
import type { StoredObject } from '../registry/registry.ts';

/** A step from what the cache has to what the store has; no `after`: the object is deleted. */
export interface Difference {
  key: string;
  revision: number;
  after?: StoredObject;
}

/**
 * The changes that lead from `known` to `entries`, the whole of a resource at `revision`, each at a revision of its own
 * and in that order. Writes have theirs; nobody knows those of the deletions, but each had one that no write has, so each
 * gets the latest that is free. An object that was deleted and made again (another uid) is deleted first.
 * @param decode undefined for an entry that cannot be read
 */
export function differences(
  known: ReadonlyMap<string, StoredObject>,
  entries: readonly StoredEntry[],
  revision: number,
  decode: (entry: StoredEntry) => StoredObject | undefined,
): Difference[] {
  const present = new Set(entries.map(({ key }) => key));
  const taken = new Set(entries.map(({ modRevision }) => modRevision));
  const found: Difference[] = [];
  const deletions: Difference[] = [];
  for (const entry of entries) {
    const { key, modRevision } = entry;
    const before = known.get(key);
    if (before?.resourceVersion === modRevision) continue;
    const after = decode(entry);
    if (after !== undefined) found.push({ key, revision: modRevision, after });
    const isAnother = before !== undefined && before.object.metadata.uid !== after?.object.metadata.uid;
    if (isAnother) deletions.push({ key, revision: modRevision - 1 });
  }
  for (const key of known.keys()) if (!present.has(key)) deletions.push({ key, revision });
  for (const deletion of deletions) {
    while (taken.has(deletion.revision)) deletion.revision -= 1;
    taken.add(deletion.revision);
  }
  return [...found, ...deletions].sort((a, b) => a.revision - b.revision);
}
