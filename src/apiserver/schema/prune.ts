import type { JsonSchema } from '../resource.ts';
import { child, isMap, type JsonMap } from './value.ts';

/**
 * Drops, in place, the fields that a structural schema does not name. Idempotent.
 * @returns the paths of what was dropped, for `unknown field "spec.foo"`
 */
export function prune(schema: JsonSchema, value: unknown, path = ''): string[] {
  const dropped: string[] = [];
  pruneInto(dropped, schema, value, path);
  return dropped;
}

function pruneInto(dropped: string[], schema: JsonSchema, value: unknown, path: string): void {
  if (Array.isArray(value)) {
    if (schema.items === undefined) return;
    for (const [index, item] of value.entries()) pruneInto(dropped, schema.items, item, `${path}[${index}]`);
  } else if (isMap(value)) {
    pruneMap(dropped, schema, value, path);
  }
}

function pruneMap(dropped: string[], schema: JsonSchema, value: JsonMap, path: string): void {
  const keepsUnknown =
    schema['x-kubernetes-preserve-unknown-fields'] === true || schema.additionalProperties === true;
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true;
  for (const name of Object.keys(value)) {
    const property = propertyOf(schema, name);
    if (property !== undefined) pruneInto(dropped, property, value[name], child(path, name));
    else if (!keepsUnknown && !(isEmbedded && TYPE_AND_METADATA.has(name))) {
      delete value[name];
      dropped.push(child(path, name));
    }
  }
}

const TYPE_AND_METADATA = new Set(['apiVersion', 'kind', 'metadata']);

export function propertyOf(schema: JsonSchema, name: string): JsonSchema | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, name))
    return schema.properties[name];
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

/** Drops, in place, fields that are null, which the typed decoding of Kubernetes' built-in kinds does not see. */
export function dropNulls(value: unknown): void {
  if (Array.isArray(value)) {
    for (const item of value) dropNulls(item);
  } else if (isMap(value)) {
    for (const name of Object.keys(value)) {
      if (value[name] === null) delete value[name];
      else dropNulls(value[name]);
    }
  }
}
