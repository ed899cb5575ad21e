import { AGE_COLUMN, type KindDefinition } from '../../crds/kind.ts';
import { crdManifest, type CrdManifest } from '../../crds/manifest.ts';
import type { JsonSchema, ResourceDefinition } from '../resource.ts';

/**
 * What the API server serves for a CRD's version. Everything comes from the manifest, so that users' own CRDs take the
 * same way as Hostler's kinds.
 * @throws Error when the CRD has no such version
 */
export function resourceFromCrd({ spec }: CrdManifest, version: string): ResourceDefinition {
  const served = spec.versions.find((candidate) => candidate.name === version);
  if (served === undefined)
    throw new Error(`CRD of ${spec.names.plural}.${spec.group} has no version ${version}`);
  const { kind, listKind, plural, singular, shortNames = [], categories = [] } = spec.names;
  const schema = served.schema.openAPIV3Schema as JsonSchema;
  const name = schema.properties?.['metadata']?.properties?.['name'];
  return {
    group: spec.group,
    version,
    kind,
    listKind,
    resource: plural,
    singular,
    namespaced: spec.scope === 'Namespaced',
    shortNames,
    categories,
    schema,
    columns: (served.additionalPrinterColumns ?? [AGE_COLUMN]).map(({ priority = 0, ...column }) => ({
      ...column,
      priority: priority === 0 ? 0 : 1,
    })),
    selectableFields: (served.selectableFields ?? []).map(({ jsonPath }) => jsonPath.replace(/^\./, '')),
    hasStatus: served.subresources?.status !== undefined,
    isCustom: true,
    ...(name?.pattern === undefined
      ? {}
      : { name: { pattern: name.pattern, maxLength: name.maxLength ?? 253 } }),
  };
}

/** A kind of Hostler as the API server serves it: its CRD, and the rules over several fields that a CRD cannot hold. */
export function resourceFromKind(kind: KindDefinition): ResourceDefinition {
  const definition = resourceFromCrd(crdManifest(kind), kind.version);
  return { ...definition, validate: (object, old) => kind.validate?.(object, old) ?? [] };
}
