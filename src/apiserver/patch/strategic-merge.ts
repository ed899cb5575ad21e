import type { JsonSchema } from '../resource.ts';
import { propertyOf } from '../schema/prune.ts';
import { assign, isEqualJson, isMap, type JsonMap } from '../schema/value.ts';
import { badRequest } from '../status.ts';

/**
 * Strategic merge patch, which Kubernetes has for its built-in kinds alone: lists whose schema says so are merged by
 * key (x-kubernetes-patch-merge-key) or as sets, and `$patch`, `$deleteFromPrimitiveList/…`, `$setElementOrder/…` and
 * `$retainKeys` direct the merge. kubectl apply, edit and label send it.
 */

/** @throws ApiError 400 on a malformed directive */
export function applyStrategicMergePatch(target: JsonMap, patch: unknown, schema: JsonSchema): JsonMap {
  if (!isMap(patch)) throw badRequest('error decoding patch: the patch is not an object');
  return mergeMaps(target, patch, schema) as JsonMap;
}

function mergeMaps(target: JsonMap, patch: JsonMap, schema: JsonSchema | undefined): JsonMap | undefined {
  const directive = patch['$patch'];
  if (directive === 'delete') return {};
  if (directive === 'replace') return withoutDirectives(patch) as JsonMap;
  if (directive !== undefined && directive !== 'merge') throw unrecognised('$patch', directive);
  const result = structuredClone(target);
  retainKeys(result, patch);
  for (const [name, change] of Object.entries(patch)) {
    if (name.startsWith('$')) applyDirective(result, name, change, schema);
    else mergeField(result, name, change, schema);
  }
  reorder(result, patch, schema);
  return result;
}

function mergeField(result: JsonMap, name: string, change: unknown, parent: JsonSchema | undefined): void {
  const schema = parent === undefined ? undefined : propertyOf(parent, name);
  const old = Object.hasOwn(result, name) ? result[name] : undefined;
  if (change === null) delete result[name];
  else if (isMap(change)) assign(result, name, mergeMaps(isMap(old) ? old : {}, change, schema));
  else if (Array.isArray(change) && schema?.['x-kubernetes-patch-strategy'] === 'merge') {
    assign(result, name, mergeLists(Array.isArray(old) ? old : [], change, schema));
  } else assign(result, name, withoutDirectives(change));
}

function mergeLists(old: unknown[], change: unknown[], schema: JsonSchema): unknown[] {
  const key = schema['x-kubernetes-patch-merge-key'] as string | undefined;
  if (key === undefined) {
    return [...old, ...change.filter((item) => !old.some((known) => isEqualJson(known, item)))];
  }
  if (change.some((item) => isMap(item) && item['$patch'] === 'replace')) {
    return change
      .filter((item) => !(isMap(item) && item['$patch'] === 'replace' && !Object.hasOwn(item, key)))
      .map(withoutDirectives);
  }
  let result = [...old];
  for (const item of change) {
    if (!isMap(item)) throw badRequest('error decoding patch: an item of a merged list is not an object');
    if (!Object.hasOwn(item, key))
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const position = result.findIndex((known) => isMap(known) && isEqualJson(known[key], item[key]));
    if (item['$patch'] === 'delete') result = result.filter((_, index) => index !== position);
    else if (position < 0) result.push(mergeMaps({}, item, schema.items));
    else result[position] = mergeMaps(result[position] as JsonMap, item, schema.items);
  }
  return result;
}

function applyDirective(
  result: JsonMap,
  name: string,
  change: unknown,
  schema: JsonSchema | undefined,
): void {
  const [directive, field = ''] = name.split(/\/(.*)/s);
  if (directive === '$deleteFromPrimitiveList') {
    if (!Array.isArray(change)) throw unrecognised(name, change);
    const list = result[field];
    if (Array.isArray(list)) {
      result[field] = list.filter((item) => !change.some((gone) => isEqualJson(gone, item)));
    }
  } else if (!['$patch', '$retainKeys', '$setElementOrder'].includes(directive as string)) {
    mergeField(result, name, change, schema);
  }
}

function retainKeys(result: JsonMap, patch: JsonMap): void {
  const keys = patch['$retainKeys'];
  if (keys === undefined) return;
  if (!Array.isArray(keys)) throw unrecognised('$retainKeys', keys);
  for (const name of Object.keys(result)) if (!keys.includes(name)) delete result[name];
}

/** Items that `$setElementOrder` names come in its order; the others keep their place behind those before them. */
function reorder(result: JsonMap, patch: JsonMap, schema: JsonSchema | undefined): void {
  for (const [name, order] of Object.entries(patch)) {
    const field = /^\$setElementOrder\/(.*)$/s.exec(name)?.[1];
    const list = field === undefined ? undefined : result[field];
    if (field === undefined || !Array.isArray(list)) continue;
    if (!Array.isArray(order)) throw unrecognised(name, order);
    const key = (schema && propertyOf(schema, field))?.['x-kubernetes-patch-merge-key'] as string | undefined;
    const identify = (item: unknown): unknown => (key !== undefined && isMap(item) ? item[key] : item);
    const rank = (item: unknown): number =>
      order.findIndex((named) => isEqualJson(identify(named), identify(item)));
    const named = list.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b));
    let next = 0;
    result[field] = list.map((item: unknown) => (rank(item) >= 0 ? (named[next++] as unknown) : item));
  }
}

function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isMap(value)) return value;
  const result: JsonMap = {};
  for (const [name, item] of Object.entries(value)) {
    if (item !== null && !/^\$(patch|retainKeys|setElementOrder\/|deleteFromPrimitiveList\/)/.test(name)) {
      assign(result, name, withoutDirectives(item));
    }
  }
  return result;
}

const unrecognised = (name: string, value: unknown): Error =>
  badRequest(`unrecognized value for directive ${name}: ${JSON.stringify(value)}`);
