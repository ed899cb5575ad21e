import { type Static, Type } from 'typebox';
import { conditionsSchema } from './conditions.ts';
import { AGE_COLUMN, type FieldFault, GROUP, type KindDefinition, VERSION } from './kind.ts';
import type { KubeObject } from './object.ts';
import { bytesOf, quantitySchema } from './quantity.ts';

const spec = Type.Object(
  {
    driver: Type.Unsafe<'dir' | 'btrfs' | 'zfs' | 'lvm'>({
      type: 'string',
      enum: ['dir', 'btrfs', 'zfs', 'lvm'],
      description: "The daemon's storage driver. Cannot be changed.",
    }),
    source: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'A folder, block device or dataset on every selected node, as the driver wants it. Default: the daemon makes its own. Cannot be changed.',
      }),
    ),
    access: Type.Optional(
      Type.Unsafe<'Node' | 'Shared'>({
        type: 'string',
        enum: ['Node', 'Shared'],
        default: 'Node',
        description:
          'Node: every selected node has a pool of its own. Shared: the same filesystem is mounted at spec.source on every selected node, so that what lies on it can go on elsewhere when a node is lost; wants driver dir and a source. Cannot be changed.',
      }),
    ),
    size: Type.Optional(
      quantitySchema(
        'Size of the loop file that the daemon makes for btrfs, zfs and lvm when there is no source. Can grow, never shrink.',
      ),
    ),
    config: Type.Optional(
      Type.Unsafe<Record<string, string>>({
        type: 'object',
        additionalProperties: { type: 'string' },
        description: "Further keys of the daemon's storage pool, such as btrfs.mount_options.",
      }),
    ),
    nodeSelector: Type.Optional(
      Type.Unsafe<Record<string, string>>({
        type: 'object',
        additionalProperties: { type: 'string' },
        description: 'Labels of the nodes that have this pool. Default: every node.',
      }),
    ),
    reclaimPolicy: Type.Optional(
      Type.Unsafe<'Retain' | 'Delete'>({
        type: 'string',
        enum: ['Retain', 'Delete'],
        default: 'Retain',
        description:
          'Whether deleting this object leaves the pools on the hosts (Retain) or removes them with all their data (Delete).',
      }),
    ),
  },
  { description: 'What people want.' },
);

const nodeStateSchema = Type.Object({
  ready: Type.Boolean({ description: 'Whether containers can be created on it there.' }),
  reason: Type.String({ description: 'CamelCase, for programs.' }),
  message: Type.String({ description: "For people; the daemon's own words where it failed." }),
  proof: Type.Optional(
    Type.String({
      description: "Of a Shared pool: what the node's agent has written into it, to be seen there by others.",
    }),
  ),
  total: Type.Optional(quantitySchema('Size in bytes.')),
  used: Type.Optional(quantitySchema('Bytes used, rounded.')),
});

const status = Type.Object(
  {
    observedGeneration: Type.Optional(
      Type.Integer({ format: 'int64', description: 'The metadata.generation that all this is about.' }),
    ),
    nodes: Type.Optional(
      Type.Unsafe<Record<string, Static<typeof nodeStateSchema>>>({
        type: 'object',
        additionalProperties: nodeStateSchema,
        description: "The pool on each selected node, by the node's name.",
      }),
    ),
    readyNodes: Type.Optional(
      Type.Integer({ description: 'On how many of the selected nodes it is ready.' }),
    ),
    selectedNodes: Type.Optional(Type.Integer({ description: 'How many nodes are selected.' })),
    anchor: Type.Optional(
      Type.Object(
        {
          node: Type.String({ description: 'Its name.' }),
          proof: Type.String({ description: 'The proof of that node at the time.' }),
        },
        {
          description:
            'Of a Shared pool: the node whose filesystem is the one that all others must have. It confirms them.',
        },
      ),
    ),
    containers: Type.Optional(Type.Integer({ description: 'How many containers name it.' })),
    conditions: Type.Optional(conditionsSchema),
  },
  { description: 'What the storage pool controller saw last.' },
);

export type StoragePoolSpec = Static<typeof spec>;
export type StoragePoolStatus = Static<typeof status>;
export type StoragePoolNodeState = Static<typeof nodeStateSchema>;

/** Storage of one kind on every selected node. */
export interface StoragePool extends KubeObject {
  spec: StoragePoolSpec;
  status?: StoragePoolStatus;
}

export const storagePoolKind: KindDefinition = {
  group: GROUP,
  version: VERSION,
  kind: 'StoragePool',
  listKind: 'StoragePoolList',
  resource: 'storagepools',
  singular: 'storagepool',
  shortNames: ['sp'],
  categories: ['hostler'],
  namespaced: false,
  description: 'Storage of one kind, which the agents create on every selected node.',
  spec,
  status,
  name: { pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', maxLength: 63 },
  columns: [
    { name: 'Driver', type: 'string', jsonPath: '.spec.driver', description: 'The storage driver.' },
    {
      name: 'Ready',
      type: 'integer',
      jsonPath: '.status.readyNodes',
      description: 'Nodes on which it is ready.',
    },
    {
      name: 'Nodes',
      type: 'integer',
      jsonPath: '.status.selectedNodes',
      description: 'Nodes that are selected.',
    },
    {
      name: 'Containers',
      type: 'integer',
      jsonPath: '.status.containers',
      description: 'Containers that name it.',
    },
    AGE_COLUMN,
    {
      name: 'Reclaim',
      type: 'string',
      jsonPath: '.spec.reclaimPolicy',
      description: 'What deleting does to the data.',
      priority: 1,
    },
    {
      name: 'Access',
      type: 'string',
      jsonPath: '.spec.access',
      description: 'Node or Shared.',
      priority: 1,
    },
    {
      name: 'Source',
      type: 'string',
      jsonPath: '.spec.source',
      description: 'Folder, device or dataset.',
      priority: 1,
    },
  ],
  selectableFields: [],
  validate: (object, old) => faultsOf(object as StoragePool, old as StoragePool | undefined),
};

function faultsOf(pool: StoragePool, old: StoragePool | undefined): FieldFault[] {
  const faults: FieldFault[] = [];
  if (pool.spec.size !== undefined && pool.spec.driver === 'dir') {
    faults.push({
      field: 'spec.size',
      reason: 'FieldValueForbidden',
      message: 'Forbidden: a dir pool has no size of its own',
    });
  }
  if (pool.spec.size !== undefined && pool.spec.source !== undefined) {
    faults.push({
      field: 'spec.size',
      reason: 'FieldValueForbidden',
      message: 'Forbidden: the size is that of spec.source',
    });
  }
  faults.push(...accessFaults(pool));
  if (old === undefined) return faults;
  for (const field of ['driver', 'source', 'access'] as const) {
    if (pool.spec[field] !== old.spec[field]) {
      faults.push({
        field: `spec.${field}`,
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${JSON.stringify(pool.spec[field] ?? null)}: field is immutable`,
      });
    }
  }
  if (old.spec.size !== undefined && bytesOf(pool.spec.size) < bytesOf(old.spec.size)) {
    faults.push({
      field: 'spec.size',
      reason: 'FieldValueForbidden',
      message: `Forbidden: a pool cannot shrink (from ${old.spec.size} to ${pool.spec.size ?? 'none'})`,
    });
  }
  return faults;
}

function accessFaults({ spec: wanted }: StoragePool): FieldFault[] {
  if (wanted.access !== 'Shared') return [];
  const faults: FieldFault[] = [];
  const invalid = (field: string, message: string) =>
    faults.push({ field, reason: 'FieldValueInvalid', message: `Invalid value: ${message}` });
  if (wanted.driver !== 'dir') invalid('spec.driver', `"${wanted.driver}": a Shared pool wants driver dir`);
  const { source } = wanted;
  if (source === undefined) {
    const message = 'Required value: a Shared pool wants the path at which the filesystem is mounted';
    faults.push({ field: 'spec.source', reason: 'FieldValueRequired', message });
  } else if (!/^\/[^\s,]*[^\s,/]$/.test(source) || /\/\.{0,2}(\/|$)/.test(source)) {
    invalid('spec.source', `${JSON.stringify(source)}: must be an absolute path in its shortest form`);
  }
  if (Object.keys(wanted.config ?? {}).length > 0) {
    const message = 'Forbidden: a Shared pool has no configuration at the daemon';
    faults.push({ field: 'spec.config', reason: 'FieldValueForbidden', message });
  }
  return faults;
}

/** Whether the filesystem at its source is the same one on every node. */
export function isShared(pool: Pick<StoragePool, 'spec'>): boolean {
  return pool.spec.access === 'Shared';
}
