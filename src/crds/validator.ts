import { Ajv, type ErrorObject } from 'ajv';
import type { KindDefinition } from './kind.ts';
import { objectSchema } from './manifest.ts';

/** Whether an object is valid for a kind, by its schema alone. */
export interface Validator {
  /** @returns ajv's faults, none when `object` is valid */
  (object: unknown): readonly ErrorObject[];
}

const MAP_KEYS = 'x-kubernetes-list-map-keys';
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** A validator of whole objects, for where there is no API server: the CLI and tests. Compiles once; keep it. */
export function validatorOf(kind: KindDefinition): Validator {
  const ajv = new Ajv({ strict: true, strictTypes: false, allErrors: true });
  ajv.addFormat('date-time', (text) => DATE_TIME.test(text) && !Number.isNaN(Date.parse(text)));
  ajv.addFormat('int64', { type: 'number', validate: () => true });
  ajv.addKeyword({ keyword: 'x-kubernetes-int-or-string', schemaType: 'boolean' });
  ajv.addKeyword({ keyword: 'x-kubernetes-preserve-unknown-fields', schemaType: 'boolean' });
  ajv.addKeyword({ keyword: MAP_KEYS, schemaType: 'array' });
  ajv.addKeyword({
    keyword: 'x-kubernetes-list-type',
    schemaType: 'string',
    compile: (listType: string, parent) => (items: unknown) =>
      !Array.isArray(items) ||
      hasDistinctItems(listType, (parent as { [MAP_KEYS]?: string[] })[MAP_KEYS] ?? [], items),
  });
  const validate = ajv.compile(objectSchema(kind));
  return (object) => (validate(object) ? [] : (validate.errors ?? []));
}

function hasDistinctItems(listType: string, keys: readonly string[], items: readonly unknown[]): boolean {
  if (listType === 'atomic') return true;
  const identities = items.map((item) =>
    JSON.stringify(
      listType === 'set' ? item : keys.map((key) => (item as Record<string, unknown> | null)?.[key]),
    ),
  );
  return new Set(identities).size === items.length;
}
