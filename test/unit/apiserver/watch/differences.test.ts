import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { differences } from '../../../../src/apiserver/watch/differences.ts';
import type { StoredObject } from '../../../../src/apiserver/registry/registry.ts';
import { decode, encode } from '../../../../src/apiserver/watch/stored.ts';
import type { StoredEntry } from '../../../../src/ports/storage.ts';
import { configMap } from '../../../support/registries.ts';

/** A history of puts and deletes over four keys; the cache stopped at some revision of it. */
const history = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), put: fc.boolean() }), {
  maxLength: 30,
});

interface State {
  entries: Map<string, StoredEntry>;
  revision: number;
}

function play(steps: readonly { key: string; put: boolean }[], from: State): State {
  const entries = new Map(from.entries);
  let { revision } = from;
  for (const { key, put } of steps) {
    const old = entries.get(key);
    if (!put && old === undefined) continue;
    revision += 1;
    if (!put) {
      entries.delete(key);
      continue;
    }
    const createRevision = old?.createRevision ?? revision;
    const value = encode(configMap(key, {}, { uid: `${key}-${createRevision}` }));
    entries.set(key, { key, value, createRevision, modRevision: revision });
  }
  return { entries, revision };
}

const read = ({ value, modRevision }: StoredEntry): StoredObject => decode(value, modRevision);

describe('differences', () => {
  it('lead from the known state to the store, at increasing revisions of the gap, never from one object to another', () => {
    fc.assert(
      fc.property(history, history, (before, gap) => {
        const old = play(before, { entries: new Map(), revision: 1 });
        const now = play(gap, old);
        const known = new Map([...old.entries].map(([key, entry]) => [key, read(entry)]));
        const steps = differences(known, [...now.entries.values()], now.revision, read);
        let last = old.revision;
        for (const { key, revision, after } of steps) {
          expect(revision).toBeGreaterThan(last);
          last = revision;
          const earlier = known.get(key);
          const isSameObject = after?.object.metadata.uid === earlier?.object.metadata.uid;
          expect(isSameObject || after === undefined || earlier === undefined).toBe(true);
          if (after === undefined) known.delete(key);
          else known.set(key, after);
        }
        expect(last).toBeLessThanOrEqual(now.revision);
        expect(new Map([...known].map(([key, stored]) => [key, stored.resourceVersion]))).toEqual(
          new Map([...now.entries].map(([key, { modRevision }]) => [key, modRevision])),
        );
      }),
    );
  });
});
