import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { applyJsonPatch } from '../../../../src/apiserver/patch/json-patch.ts';
import { applyMergePatch } from '../../../../src/apiserver/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../../../src/apiserver/patch/strategic-merge.ts';
import type { JsonSchema } from '../../../../src/apiserver/resource.ts';
import { objectMetaSchema } from '../../../../src/apiserver/schema/object-meta.ts';

const json = fc.jsonValue({ maxDepth: 3 });
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

describe('merge patch', () => {
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j is %j', (target, patch, expected) => {
    const before = copy(target);
    expect(applyMergePatch(target, patch)).toEqual(expected);
    expect(target).toEqual(before);
  });

  it('has the same outcome when it is applied twice, and leaves no null of its own', () => {
    fc.assert(
      fc.property(json, json, (target, patch) => {
        const once = applyMergePatch(target, patch);
        expect(applyMergePatch(once, patch)).toEqual(once);
      }),
    );
  });

  it('never reaches a prototype', () => {
    applyMergePatch({}, JSON.parse('{"__proto__": {"polluted": 1}}'));
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('JSON patch', () => {
  it.each([
    [[{ op: 'add', path: '/a/-', value: 3 }], { a: [1, 2, 3] }],
    [[{ op: 'remove', path: '/a/0' }], { a: [2] }],
    [
      [
        { op: 'test', path: '/a/0', value: 1 },
        { op: 'replace', path: '/a', value: 0 },
      ],
      { a: 0 },
    ],
    [[{ op: 'move', from: '/a', path: '/b' }], { b: [1, 2] }],
  ])('%j', (patch, expected) => {
    expect(applyJsonPatch({ a: [1, 2] }, patch)).toEqual(expected);
  });

  it.each([
    ['an object', {}, 400],
    ['a field that is not there', [{ op: 'remove', path: '/b' }], 422],
    ['an operation that there is not', [{ op: 'jump', path: '/a' }], 422],
    ['a test that fails', [{ op: 'test', path: '/a', value: 1 }], 422],
    ['too many operations', Array.from({ length: 10_001 }, () => ({ op: 'test', path: '', value: 1 })), 413],
    ['a prototype', [{ op: 'add', path: '/__proto__/x', value: 1 }], 422],
  ])('of %s is refused', (_what, patch, code) => {
    expect(() => applyJsonPatch({ a: [1, 2] }, patch)).toThrow(
      expect.objectContaining({ status: expect.objectContaining({ code }) }),
    );
  });
});

describe('strategic merge patch', () => {
  const schema: JsonSchema = {
    type: 'object',
    properties: {
      metadata: objectMetaSchema,
      list: {
        type: 'array',
        'x-kubernetes-patch-strategy': 'merge',
        'x-kubernetes-patch-merge-key': 'name',
        items: { type: 'object', properties: { name: { type: 'string' }, v: { type: 'integer' } } },
      },
      plain: { type: 'array', items: { type: 'string' } },
    },
  };
  const a = { name: 'a', v: 1 };
  const b = { name: 'b', v: 2 };
  it.each([
    ['merges maps', { data: { x: '1' } }, { data: { y: '2' } }, { data: { x: '1', y: '2' } }],
    ['drops what is null', { data: { x: '1' } }, { data: { x: null } }, { data: {} }],
    ['replaces plain lists', { plain: ['a'] }, { plain: ['b'] }, { plain: ['b'] }],
    [
      'merges lists by key',
      { list: [a, b] },
      { list: [{ name: 'b', v: 3 }, { name: 'c' }] },
      { list: [a, { name: 'b', v: 3 }, { name: 'c' }] },
    ],
    ['deletes an item by key', { list: [a, b] }, { list: [{ name: 'a', $patch: 'delete' }] }, { list: [b] }],
    [
      'replaces a list when told to',
      { list: [a, b] },
      { list: [{ name: 'c' }, { $patch: 'replace' }] },
      { list: [{ name: 'c' }] },
    ],
    [
      'replaces a map when told to',
      { data: { x: '1' } },
      { data: { $patch: 'replace', y: '2' } },
      { data: { y: '2' } },
    ],
    [
      'retains the keys that it is told',
      { data: { x: '1', z: '3' } },
      { data: { $retainKeys: ['x', 'y'], y: '2' } },
      { data: { x: '1', y: '2' } },
    ],
    [
      'adds to lists of texts',
      { metadata: { finalizers: ['a'] } },
      { metadata: { finalizers: ['b', 'a'] } },
      { metadata: { finalizers: ['a', 'b'] } },
    ],
    [
      'takes from lists of texts',
      { metadata: { finalizers: ['a', 'b'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
      { metadata: { finalizers: ['b'] } },
    ],
    [
      'puts a list in order',
      { list: [a, b] },
      { '$setElementOrder/list': [{ name: 'b' }, { name: 'a' }], list: [{ name: 'a', v: 5 }] },
      { list: [b, { name: 'a', v: 5 }] },
    ],
  ])('%s', (_what, target, patch, expected) => {
    const before = copy(target);
    expect(applyStrategicMergePatch(target, patch, schema)).toEqual(expected);
    expect(target).toEqual(before);
  });

  it.each([
    ['an unknown directive', { data: { $patch: 'jump' } }],
    ['an item without its key', { list: [{ v: 1 }] }],
    ['a list', []],
  ])('refuses %s', (_what, patch) => {
    expect(() => applyStrategicMergePatch({ list: [a] }, patch, schema)).toThrow(
      expect.objectContaining({ status: expect.objectContaining({ code: 400 }) }),
    );
  });
});
