import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { fenceKey, prefixRange, recordKey } from '../../../src/etcd/keys.ts';

describe('the range of a prefix', () => {
  it.each([
    ['ends right after the prefix', '/a/', '/a0'],
    ['of one letter', 'a', 'b'],
    ['of the empty prefix is everything', '', '\0'],
  ])('%s', (_name, prefix, end) => {
    expect(prefixRange(prefix).rangeEnd.toString()).toBe(end);
  });

  it('holds exactly the keys that begin with the prefix', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(text, text, (prefix, key) => {
        const { key: start, rangeEnd } = prefixRange(prefix);
        const bytes = Buffer.from(key);
        const isIn =
          bytes.compare(start) >= 0 && (bytes.compare(rangeEnd) < 0 || rangeEnd.equals(Buffer.from([0])));
        expect(isIn).toBe(bytes.subarray(0, start.length).equals(start));
      }),
      { seed: 3 },
    );
  });
});

describe('the keys that storage keeps for itself', () => {
  it('lie outside every prefix that begins with a slash', () => {
    expect(fenceKey.toString().startsWith('/')).toBe(false);
    expect(recordKey('/x').toString().startsWith('/')).toBe(false);
  });

  it('are at most 256 records, the same for the same key', () => {
    const keys = Array.from({ length: 5_000 }, (_, index) => recordKey(`/registry/${index}`).toString());
    expect(new Set(keys).size).toBe(256);
    expect(recordKey('/registry/7').toString()).toBe(keys[7]);
  });
});
