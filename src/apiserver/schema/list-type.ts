import type { FieldFault } from '../../crds/kind.ts';
import type { JsonSchema } from '../resource.ts';
import { duplicate, invalidValue } from './fault.ts';
import { isMap, type JsonMap } from './value.ts';

/** The items of a `set` must differ, those of a `map` must differ in their keys (x-kubernetes-list-type). */
export function listTypeFaults(schema: JsonSchema, items: readonly unknown[], path: string): FieldFault[] {
  const listType = schema['x-kubernetes-list-type'];
  if (listType === 'map') {
    const keys = schema['x-kubernetes-list-map-keys'] as string[];
    return repeated(items, path, (item) => (isMap(item) ? keyOf(item, keys) : undefined));
  }
  if (listType === 'set') return repeated(items, path, (item) => item);
  const isRepeated = schema.uniqueItems === true && repeated(items, path, (item) => item).length > 0;
  return isRepeated ? [invalidValue(path, '', `${path} in body shouldn't contain duplicates`)] : [];
}

function repeated(
  items: readonly unknown[],
  path: string,
  identify: (item: unknown) => unknown,
): FieldFault[] {
  const seen = new Set<string>();
  const faults: FieldFault[] = [];
  for (const [index, item] of items.entries()) {
    const identity = identify(item);
    if (identity === undefined) continue;
    const text = canonical(identity);
    if (seen.has(text)) faults.push(duplicate(`${path}[${index}]`, identity));
    seen.add(text);
  }
  return faults;
}

function keyOf(item: JsonMap, keys: readonly string[]): JsonMap {
  return Object.fromEntries(keys.filter((key) => item[key] !== undefined).map((key) => [key, item[key]]));
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    isMap(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
  );
}
