import { describe, expect, it } from '@jest/globals';
import type { StoredObject } from '../../../../src/apiserver/registry/registry.ts';
import type { ResourceDefinition } from '../../../../src/apiserver/resource.ts';
import { ageOf } from '../../../../src/apiserver/table/age.ts';
import { readIncludeObject, tableChunks } from '../../../../src/apiserver/table/table.ts';
import type { PrinterColumn } from '../../../../src/crds/kind.ts';
import type { KubeObject } from '../../../../src/crds/object.ts';

const NOW = Date.UTC(2026, 0, 2);

const definition = (columns: PrinterColumn[], cells?: ResourceDefinition['cells']): ResourceDefinition => ({
  group: 'example.com',
  version: 'v1',
  kind: 'Thing',
  listKind: 'ThingList',
  resource: 'things',
  singular: 'thing',
  namespaced: true,
  shortNames: [],
  categories: [],
  schema: { type: 'object' },
  columns,
  selectableFields: [],
  hasStatus: false,
  isCustom: true,
  ...(cells === undefined ? {} : { cells }),
});

const stored = (object: object): StoredObject => {
  const whole = {
    apiVersion: 'example.com/v1',
    kind: 'Thing',
    metadata: { name: 'one', creationTimestamp: '2026-01-01T00:00:00Z' },
    ...object,
  } as KubeObject;
  return { object: whole, resourceVersion: 7, json: () => Buffer.from(JSON.stringify(whole)) };
};

interface Table {
  columnDefinitions: { name: string; type: string; priority: number; format: string }[] | null;
  rows: { cells: unknown[]; object: { kind: string; spec?: unknown } | null }[];
}

const table = (
  what: ResourceDefinition,
  items: StoredObject[],
  options: Partial<Parameters<typeof tableChunks>[3]> = {},
): Table =>
  JSON.parse(
    Buffer.concat(
      tableChunks(
        what,
        items,
        { resourceVersion: '9' },
        { version: 'v1', includeObject: 'Metadata', nowMs: NOW, withColumns: true, ...options },
      ),
    ).toString(),
  ) as Table;

const column = (type: PrinterColumn['type'], jsonPath: string): PrinterColumn => ({
  name: 'X',
  type,
  jsonPath,
  description: '',
});

describe('cells', () => {
  it.each<[PrinterColumn['type'], string, unknown]>([
    ['string', '.spec.text', 'hello'],
    ['string', '.spec.number', '7.5'],
    ['string', '.spec.list[*]', 'a b'],
    ['string', '.spec.list', '["a","b"]'],
    ['string', '.spec.map', '{"a":1}'],
    ['string', '.spec.nothing', null],
    ['integer', '.spec.number', 7],
    ['integer', '.spec.text', null],
    ['number', '.spec.number', 7.5],
    ['boolean', '.spec.flag', false],
    ['boolean', '.spec.text', null],
    ['date', '.metadata.creationTimestamp', '24h'],
    ['date', '.spec.text', '<invalid>'],
    ['date', '.spec.nothing', null],
  ])('a %s at %s', (type, path, expected) => {
    const spec = { text: 'hello', number: 7.5, flag: false, list: ['a', 'b'], map: { a: 1 } };
    const { rows } = table(definition([column(type, path)]), [stored({ spec })]);
    expect(rows[0]?.cells).toEqual(['one', expected]);
  });

  it('computed ones win', () => {
    const computed = { X: (_object: KubeObject, nowMs: number) => nowMs };
    const { rows } = table(definition([column('integer', '.spec.a')], computed), [
      stored({ spec: { a: 1 } }),
    ]);
    expect(rows[0]?.cells).toEqual(['one', NOW]);
  });
});

describe('columns', () => {
  it('the name comes first', () => {
    const wide: PrinterColumn = { ...column('integer', '.spec.a'), priority: 1 };
    const { columnDefinitions } = table(definition([wide]), []);
    expect(
      columnDefinitions?.map(({ name, type, format, priority }) => [name, type, format, priority]),
    ).toEqual([
      ['Name', 'string', 'name', 0],
      ['X', 'integer', '', 1],
    ]);
  });

  it('the name stays where the kind has put it', () => {
    const name: PrinterColumn = { ...column('string', '.metadata.name'), name: 'Name' };
    const { columnDefinitions } = table(definition([column('string', '.a'), name]), []);
    expect(columnDefinitions?.map((one) => one.name)).toEqual(['X', 'Name']);
  });

  it('are left out from the second event of a watch on', () => {
    expect(table(definition([]), [], { withColumns: false }).columnDefinitions).toBeNull();
  });
});

describe('includeObject', () => {
  it.each([
    ['None', null],
    ['Metadata', 'PartialObjectMetadata'],
    ['Object', 'Thing'],
  ] as const)('%s', (includeObject, kind) => {
    const { rows } = table(definition([]), [stored({ spec: {} }), stored({ spec: {} })], { includeObject });
    expect(rows.map(({ object }) => object?.kind ?? null)).toEqual([kind, kind]);
  });

  it('is read strictly', () => {
    const read = (text: string) => readIncludeObject(new URLSearchParams(text));
    expect(read('')).toBe('Metadata');
    expect(read('includeObject=None')).toBe('None');
    expect(() => read('includeObject=All')).toThrow('Invalid value: "All"');
  });
});

it.each([
  [undefined, '<unknown>'],
  ['', '<unknown>'],
  ['soon', '<invalid>'],
  ['2026-01-01T23:58:59Z', '61s'],
  ['2026-01-02T00:00:10Z', '<invalid>'],
])('the age of %s is %s', (time, expected) => {
  expect(ageOf(time, NOW)).toBe(expected);
});
