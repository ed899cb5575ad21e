import type { JsonSchema, ResourceDefinition } from '../resource.ts';

/** What the schemas of the built-in kinds are put together from. */

export const text = (description: string): JsonSchema => ({
  type: 'string',
  ...(description === '' ? {} : { description }),
});

export const time = (description: string): JsonSchema => ({
  type: 'string',
  format: 'date-time',
  description,
});

export const integer = (description: string): JsonSchema => ({
  type: 'integer',
  format: 'int32',
  description,
});

export const textMap = (description: string): JsonSchema => ({
  type: 'object',
  additionalProperties: { type: 'string' },
  description,
});

export const conditionList: JsonSchema = {
  type: 'array',
  description: 'The latest observations of the state, one of each type.',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  'x-kubernetes-patch-strategy': 'merge',
  'x-kubernetes-patch-merge-key': 'type',
  items: {
    type: 'object',
    properties: {
      type: { type: 'string' },
      status: { type: 'string' },
      reason: { type: 'string' },
      message: { type: 'string' },
      lastTransitionTime: { type: 'string', format: 'date-time' },
    },
  },
};

/** The schema of a whole object with these fields besides type and metadata. */
export function topSchema(description: string, properties: Record<string, JsonSchema>): JsonSchema {
  return {
    type: 'object',
    description,
    properties: {
      apiVersion: { type: 'string', description: 'The version of this schema.' },
      kind: { type: 'string', description: 'The kind of the object.' },
      metadata: { type: 'object', description: "The object's name, labels and what else all objects have." },
      ...properties,
    },
  };
}

export function namesOf(
  kind: string,
  resource: string,
  shortNames: readonly string[],
): Pick<ResourceDefinition, 'kind' | 'listKind' | 'resource' | 'singular' | 'shortNames'> {
  return { kind, listKind: `${kind}List`, resource, singular: kind.toLowerCase(), shortNames };
}
