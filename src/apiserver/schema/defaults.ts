import type { JsonSchema } from '../resource.ts';
import { isMap, type JsonMap } from './value.ts';

/**
 * Fills in the defaults of a structural schema, in place. A null where null is not allowed counts as absent where there
 * is a default, as in Kubernetes. Idempotent.
 */
export function applyDefaults(schema: JsonSchema, value: unknown): void {
  if (Array.isArray(value)) {
    if (schema.items !== undefined) for (const item of value) applyDefaults(schema.items, item);
  } else if (isMap(value)) {
    defaultProperties(schema, value);
  }
}

function defaultProperties(schema: JsonSchema, value: JsonMap): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const present = Object.hasOwn(value, name) ? value[name] : undefined;
    const isMissing = present === undefined || (present === null && property.nullable !== true);
    if (isMissing && property.default !== undefined) value[name] = structuredClone(property.default);
    if (Object.hasOwn(value, name)) applyDefaults(property, value[name]);
  }
  if (typeof schema.additionalProperties !== 'object') return;
  for (const [name, item] of Object.entries(value)) {
    if (schema.properties === undefined || !Object.hasOwn(schema.properties, name))
      applyDefaults(schema.additionalProperties, item);
  }
}
