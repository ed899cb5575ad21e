import type { TSchema } from 'typebox';
import type { KindDefinition, PrinterColumn } from './kind.ts';

/** `apiextensions.k8s.io/v1` CustomResourceDefinition, as far as Hostler writes and reads it. */
export interface CrdManifest {
  apiVersion: 'apiextensions.k8s.io/v1';
  kind: 'CustomResourceDefinition';
  metadata: { name: string };
  spec: {
    group: string;
    names: CrdNames;
    scope: 'Namespaced' | 'Cluster';
    versions: CrdVersion[];
  };
}

export interface CrdNames {
  kind: string;
  listKind: string;
  plural: string;
  singular: string;
  shortNames?: string[];
  categories?: string[];
}

export interface CrdVersion {
  name: string;
  served: boolean;
  storage: boolean;
  subresources?: { status?: object };
  additionalPrinterColumns?: CrdColumn[];
  selectableFields?: { jsonPath: string }[];
  schema: { openAPIV3Schema: Record<string, unknown> };
}

interface CrdColumn extends Omit<PrinterColumn, 'priority'> {
  priority?: number;
}

/** The CRD of a kind: what manifests/crds/ holds for other Kubernetes clusters, and what the embedded API server serves. */
export function crdManifest(kind: KindDefinition): CrdManifest {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.resource}.${kind.group}` },
    spec: {
      group: kind.group,
      names: namesOf(kind),
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      versions: [versionOf(kind)],
    },
  };
}

function namesOf(kind: KindDefinition): CrdNames {
  const { listKind, resource, singular, shortNames, categories } = kind;
  return {
    kind: kind.kind,
    listKind,
    plural: resource,
    singular,
    ...(shortNames.length === 0 ? {} : { shortNames: [...shortNames] }),
    ...(categories.length === 0 ? {} : { categories: [...categories] }),
  };
}

function versionOf(kind: KindDefinition): CrdVersion {
  return {
    name: kind.version,
    served: true,
    storage: true,
    subresources: { status: {} },
    additionalPrinterColumns: kind.columns.map(({ priority = 0, ...column }) =>
      priority === 0 ? column : { ...column, priority },
    ),
    ...(kind.selectableFields.length === 0
      ? {}
      : { selectableFields: kind.selectableFields.map((jsonPath) => ({ jsonPath })) }),
    schema: { openAPIV3Schema: objectSchema(kind) },
  };
}

/** The structural schema of the whole object. */
export function objectSchema(kind: KindDefinition): Record<string, unknown> {
  return {
    type: 'object',
    description: kind.description,
    required: ['spec'],
    properties: {
      apiVersion: {
        type: 'string',
        description: 'The version of this schema: the group, a slash, the version.',
      },
      kind: { type: 'string', description: 'The kind of the object.' },
      metadata: metadataSchema(kind),
      spec: plain(kind.spec),
      status: plain(kind.status),
    },
  };
}

function metadataSchema({ name }: KindDefinition): Record<string, unknown> {
  if (name === undefined) return { type: 'object' };
  return {
    type: 'object',
    properties: { name: { type: 'string', pattern: name.pattern, maxLength: name.maxLength } },
  };
}

/** TypeBox marks its schemas with symbols and hidden properties, which JSON leaves out. */
function plain(schema: TSchema): unknown {
  return JSON.parse(JSON.stringify(schema)) as unknown;
}
