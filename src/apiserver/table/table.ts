import type { PrinterColumn } from '../../crds/kind.ts';
import type { KubeObject } from '../../crds/object.ts';
import type { StoredObject } from '../registry/registry.ts';
import type { ResourceDefinition } from '../resource.ts';
import { evaluateJsonPath } from '../selectors/json-path.ts';
import { badRequest } from '../status.ts';
import { ageOf } from './age.ts';

/** `meta/v1` Table: what `kubectl get` prints, with the columns that the kind declares. */

export type IncludeObject = 'None' | 'Metadata' | 'Object';

type Cell = string | number | boolean | null;

/** @throws ApiError 400 for anything else than None, Metadata and Object */
export function readIncludeObject(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? '';
  if (value === '') return 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw badRequest(`Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`);
}

export interface TableOptions {
  /** `v1` or `v1beta1`. */
  version: string;
  includeObject: IncludeObject;
  nowMs: number;
  /** Left out from the second event of a watch on. */
  withColumns: boolean;
}

/** The pieces of the Table as JSON; rows share the objects' own bytes. `metadata` is that of the list or the object. */
export function tableChunks(
  definition: ResourceDefinition,
  items: readonly StoredObject[],
  metadata: object,
  options: TableOptions,
): Buffer[] {
  const columns = compiledColumns(definition);
  const head = {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${options.version}`,
    metadata,
    columnDefinitions: options.withColumns ? columnDefinitions(columns) : null,
  };
  const opening = JSON.stringify(head).slice(0, -1);
  const chunks: Buffer[] = [];
  let text = `${opening},"rows":[`;
  for (const [position, item] of items.entries()) {
    const cells = JSON.stringify(cellsOf(columns, item.object, options.nowMs));
    text += `${position === 0 ? '' : ','}{"cells":${cells},"object":`;
    if (options.includeObject === 'Object') {
      chunks.push(Buffer.from(text), item.json());
      text = '}';
    } else {
      text += `${rowObject(item.object, options)}}`;
    }
  }
  chunks.push(Buffer.from(`${text}]}\n`));
  return chunks;
}

export function partialMetadata(object: KubeObject, version: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

function rowObject(object: KubeObject, { includeObject, version }: TableOptions): string {
  return includeObject === 'None' ? 'null' : JSON.stringify(partialMetadata(object, version));
}

const NAME_COLUMN: PrinterColumn = {
  name: 'Name',
  type: 'string',
  jsonPath: '.metadata.name',
  description: 'Name must be unique within a namespace.',
};

function columnDefinitions(columns: readonly CompiledColumn[]): object[] {
  return columns.map(({ column }) => {
    const { name, type, description, priority = 0 } = column;
    return { name, type, format: name === NAME_COLUMN.name ? 'name' : '', description, priority };
  });
}

/** A column with the way to its cell, found once a kind: a list has thousands of rows. */
interface CompiledColumn {
  column: PrinterColumn;
  cell: (object: KubeObject, nowMs: number) => Cell;
}

const compiled = new WeakMap<ResourceDefinition, readonly CompiledColumn[]>();

function compiledColumns(definition: ResourceDefinition): readonly CompiledColumn[] {
  const known = compiled.get(definition);
  if (known !== undefined) return known;
  const columns = columnsOf(definition).map((column): CompiledColumn => {
    const computed = definition.cells?.[column.name];
    if (computed !== undefined) return { column, cell: (object, nowMs) => computed(object, nowMs) };
    const find = finderOf(column.jsonPath);
    return { column, cell: (object, nowMs) => toCell(find(object), column.type, nowMs) };
  });
  compiled.set(definition, columns);
  return columns;
}

const cellsOf = (columns: readonly CompiledColumn[], object: KubeObject, nowMs: number): Cell[] =>
  columns.map(({ cell }) => cell(object, nowMs));

/** The name comes first, unless the kind has a place of its own for it, as Events do. */
function columnsOf({ columns }: ResourceDefinition): readonly PrinterColumn[] {
  return columns.some(({ name }) => name === NAME_COLUMN.name) ? columns : [NAME_COLUMN, ...columns];
}

/** Most paths only name fields: those are followed as they are. */
function finderOf(jsonPath: string): (object: KubeObject) => unknown[] {
  if (!/^(\.[A-Za-z0-9_-]+)+$/.test(jsonPath)) return (object) => evaluateJsonPath(object, jsonPath);
  const names = jsonPath.slice(1).split('.');
  return (object) => {
    let value: unknown = object;
    for (const name of names) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return [];
      value = (value as Record<string, unknown>)[name];
    }
    return [value];
  };
}

function toCell(found: readonly unknown[], type: PrinterColumn['type'], nowMs: number): Cell {
  const [value] = found;
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'date':
      return ageOf(value, nowMs);
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'string':
      return found.map(textOf).join(' ');
    default:
      return type satisfies never;
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
