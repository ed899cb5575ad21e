import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type { JsonSchema } from '../../../../src/apiserver/resource.ts';
import { applyDefaults } from '../../../../src/apiserver/schema/defaults.ts';
import { dropNulls, prune } from '../../../../src/apiserver/schema/prune.ts';

const schema: JsonSchema = {
  type: 'object',
  properties: {
    a: { type: 'string', default: 'x' },
    n: { type: 'string', nullable: true, default: 'n' },
    o: {
      type: 'object',
      default: {},
      properties: { p: { type: 'integer', default: 1 }, q: { type: 'string' } },
    },
    l: { type: 'array', items: { type: 'object', properties: { a: { type: 'integer', default: 2 } } } },
    m: {
      type: 'object',
      additionalProperties: { type: 'object', properties: { a: { type: 'integer', default: 3 } } },
    },
    free: {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { o: { type: 'object', properties: {} } },
    },
  },
};
const values = fc.jsonValue({ maxDepth: 3 });
const objects = fc.dictionary(
  fc.constantFrom('a', 'n', 'o', 'l', 'm', 'free', 'p', 'z', '__proto__', 'constructor'),
  values,
);
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

describe('defaults', () => {
  it.each([
    ['fill in what is missing, also within a default', {}, { a: 'x', n: 'n', o: { p: 1 } }],
    ['leave what is there', { a: 'y', o: { p: 2 } }, { a: 'y', n: 'n', o: { p: 2 } }],
    [
      'take null for missing where it is not allowed',
      { a: null, n: null, o: {} },
      { a: 'x', n: null, o: { p: 1 } },
    ],
    [
      'reach into lists and maps',
      { l: [{}], m: { k: {} } },
      { a: 'x', n: 'n', o: { p: 1 }, l: [{ a: 2 }], m: { k: { a: 3 } } },
    ],
  ])('%s', (_what, value, expected) => {
    const filled = copy(value);
    applyDefaults(schema, filled);
    expect(filled).toEqual(expected);
  });

  it('change nothing the second time', () => {
    fc.assert(
      fc.property(objects, (value) => {
        const once = copy(value);
        applyDefaults(schema, once);
        const twice = copy(once);
        applyDefaults(schema, twice);
        expect(twice).toEqual(once);
      }),
    );
  });

  it('are never shared between objects', () => {
    const [one, two]: { o?: object }[] = [{}, {}];
    applyDefaults(schema, one);
    applyDefaults(schema, two);
    expect(one?.o).not.toBe(two?.o);
  });
});

describe('prune', () => {
  it('drops what the schema does not name, and says what', () => {
    const value = {
      a: 'x',
      b: 1,
      o: { q: 'x', r: 2 },
      l: [{ a: 1 }, { c: 3 }],
      free: { any: 1, o: { z: 1 } },
    };
    expect(prune(schema, value)).toEqual(['b', 'o.r', 'l[1].c', 'free.o.z']);
    expect(value).toEqual({ a: 'x', o: { q: 'x' }, l: [{ a: 1 }, {}], free: { any: 1, o: {} } });
  });

  it('finds nothing the second time, and never changes a prototype', () => {
    fc.assert(
      fc.property(objects, (value) => {
        const once = copy(value);
        prune(schema, once);
        expect(prune(schema, copy(once))).toEqual([]);
        expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      }),
    );
  });
});

describe('dropNulls', () => {
  it('leaves no field that is null', () => {
    const value = { a: null, b: { c: null, d: [{ e: null }] } };
    dropNulls(value);
    expect(value).toEqual({ b: { d: [{}] } });
  });
});
