import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { findRepeatedKeys, MAX_DEPTH } from '../../../../src/apiserver/endpoints/json-keys.ts';

describe('findRepeatedKeys', () => {
  it.each([
    ['{}', []],
    ['{"a":1,"b":{"a":2}}', []],
    ['{"a":1,"a":2}', ['a']],
    ['{"spec":{"image":1,"image":2,"image":3}}', ['spec.image', 'spec.image']],
    ['{"l":[{"n":1},{"n":1,"n":2}]}', ['l[1].n']],
    ['{"a":"x","b":["a","a"],"c":"a"}', []],
    [String.raw`{"a\"":1,"a\"":2}`, ['a"']],
    [String.raw`{"a":1,"\u0061":2}`, ['a']],
    ['{"a":{"b":[[{"c":1,"c":1}]]}}', ['a.b[0][0].c']],
    ['"just a text, with {\\"a\\":1,\\"a\\":2}"', []],
    ['{"a":[1,2,{"x":[]}],"a":{}}', ['a']],
  ])('%s', (text, expected) => {
    expect(findRepeatedKeys(text)).toEqual({ repeated: expected, tooDeep: false });
  });

  it('stops where it is too deep', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(findRepeatedKeys(nested(MAX_DEPTH)).tooDeep).toBe(false);
    expect(findRepeatedKeys(nested(MAX_DEPTH + 1)).tooDeep).toBe(true);
  });

  it('finds nothing in what JSON.stringify made, whatever it holds', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        const once = JSON.stringify(JSON.parse(text));
        return findRepeatedKeys(once).repeated.length === 0;
      }),
    );
  });

  it('finds every key that is put in twice', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1, noNullPrototype: true }),
        (object) => {
          const [key = ''] = Object.keys(object);
          const text = `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(key)}:0}`;
          return findRepeatedKeys(text).repeated.length === 1;
        },
      ),
    );
  });
});
