import type { CatalogEntry } from '../discovery/catalog.ts';
import type { JsonSchema, ResourceDefinition } from '../resource.ts';
import { metaName, metaSchemas, typeMeta } from './meta-schemas.ts';

/**
 * The schemas of kinds under the names that Kubernetes gives them. `$ref` holds a bare name here; each version of OpenAPI
 * makes its own path of it.
 */

/** `dev.hostler.v1alpha1.Container`, `io.k8s.api.core.v1.ConfigMap`. */
export function schemaName(
  { group, version }: Pick<CatalogEntry, 'group' | 'version'>,
  kind: string,
): string {
  if (group === '') return `io.k8s.api.core.${version}.${kind}`;
  if (group.endsWith('.k8s.io')) return `io.k8s.api.${group.split('.')[0]}.${version}.${kind}`;
  return `${group.split('.').toReversed().join('.')}.${version}.${kind}`;
}

/** The schemas of `entries` with those of meta/v1. */
export function schemasOf(entries: readonly CatalogEntry[]): Record<string, JsonSchema> {
  const schemas: Record<string, JsonSchema> = { ...metaSchemas };
  for (const entry of entries) {
    schemas[schemaName(entry, entry.kind)] = entry.definition
      ? objectSchema(entry.definition)
      : reviewSchema(entry);
    if (entry.definition)
      schemas[schemaName(entry, entry.definition.listKind)] = listSchema(entry.definition);
  }
  return schemas;
}

const gvk = ({ group, version }: Pick<CatalogEntry, 'group' | 'version'>, kind: string): JsonSchema => ({
  'x-kubernetes-group-version-kind': [{ group, kind, version }],
});

function objectSchema(definition: ResourceDefinition): JsonSchema {
  const { schema, kind } = definition;
  return {
    ...schema,
    type: 'object',
    properties: {
      ...typeMeta,
      ...schema.properties,
      metadata: { description: "Standard object's metadata.", $ref: metaName('ObjectMeta') },
    },
    ...gvk(definition, kind),
  };
}

function listSchema(definition: ResourceDefinition): JsonSchema {
  return {
    type: 'object',
    description: `A list of ${definition.kind}.`,
    required: ['items'],
    properties: {
      ...typeMeta,
      metadata: { description: "Standard list's metadata.", $ref: metaName('ListMeta') },
      items: {
        type: 'array',
        description: 'The objects.',
        items: { $ref: schemaName(definition, definition.kind) },
      },
    },
    ...gvk(definition, definition.listKind),
  };
}

const reviewSchema = (entry: CatalogEntry): JsonSchema => ({
  type: 'object',
  description: 'A question about oneself, answered at once and never stored.',
  properties: {
    ...typeMeta,
    metadata: { description: "Standard object's metadata.", $ref: metaName('ObjectMeta') },
    spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, description: 'The question.' },
    status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, description: 'The answer.' },
  },
  ...gvk(entry, entry.kind),
});
