import { type Static, Type } from 'typebox';
import { conditionsSchema } from './conditions.ts';
import { durationSchema } from './duration.ts';
import { AGE_COLUMN, type FieldFault, GROUP, type KindDefinition, VERSION } from './kind.ts';
import { containerMigrationSchema, migrationPolicySchema } from './container-migration.ts';
import type { KubeObject } from './object.ts';
import { placementSchema, stringMap } from './placement.ts';
import { bytesOf, milliCpu, quantitySchema } from './quantity.ts';
import { volumeFaults, volumeSchema } from './volume.ts';

export type { AntiAffinity, Placement, Spread, Toleration } from './placement.ts';
export type { ContainerMigration, MigrationPolicy } from './container-migration.ts';
export type { ContainerVolume } from './volume.ts';

export const FAILOVER_POLICIES = ['Recover', 'Recreate', 'Stay'] as const;
export type FailoverPolicy = (typeof FAILOVER_POLICIES)[number];

const spec = Type.Object(
  {
    image: Type.String({
      minLength: 1,
      maxLength: 1024,
      pattern:
        '^(https://\\S+#sha256=[0-9a-f]{64}|file:///\\S+|[a-z0-9][a-z0-9._-]*:[A-Za-z0-9][A-Za-z0-9._/-]*)$',
      description:
        'What the root filesystem is made from: <remote>:<alias> (an image server, such as images:debian/12), https://…#sha256=… (a unified image tarball), or file:///… (one on the host). Cannot be changed.',
    }),
    power: Type.Optional(
      Type.Unsafe<'Running' | 'Stopped'>({
        type: 'string',
        enum: ['Running', 'Stopped'],
        default: 'Running',
        description: 'Whether the container is to run, or to be there without running.',
      }),
    ),
    resources: Type.Optional(
      Type.Object(
        {
          cpu: Type.Optional(
            quantitySchema('Cores: asked for at placement, and the limit. Default: none asked, no limit.'),
          ),
          memory: Type.Optional(
            quantitySchema('Bytes: asked for at placement, and the limit. Default: none asked, no limit.'),
          ),
          disk: Type.Optional(
            quantitySchema(
              'Bytes of the root pool: asked for at placement, and the quota where the pool has quotas. Can grow, never shrink.',
            ),
          ),
        },
        {
          default: {},
          description: 'What is kept for the container at placement, and what it may use at most.',
        },
      ),
    ),
    rootPool: Type.Optional(
      Type.String({
        minLength: 1,
        default: 'default',
        description: 'The StoragePool of the root filesystem. Cannot be changed.',
      }),
    ),
    volumes: Type.Optional(
      Type.Array(volumeSchema, {
        maxItems: 32,
        description:
          'Folders for data, which outlive the instance and its root. They are kept when the Container is deleted, unless the reclaimPolicy of their pool is Delete.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    ),
    networks: Type.Optional(
      Type.Array(
        Type.Object({
          name: Type.String({
            pattern: '^[a-z][a-z0-9]{0,14}$',
            description: 'Interface inside the container: eth0.',
          }),
          network: Type.String({ minLength: 1, description: "A network of the host's daemon: incusbr0." }),
        }),
        {
          description: "Network interfaces. Default: eth0 on the host's default network; [] for none.",
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
        },
      ),
    ),
    config: Type.Optional(
      stringMap(
        "Further keys of the daemon's instance configuration, of those that the host's operator allows.",
      ),
    ),
    placement: Type.Optional(placementSchema),
    restart: Type.Optional(
      Type.Object(
        {
          policy: Type.Optional(
            Type.Unsafe<'Always' | 'OnFailure' | 'Never'>({
              type: 'string',
              enum: ['Always', 'OnFailure', 'Never'],
              default: 'Always',
              description:
                'What happens when the container ends by itself. OnFailure leaves down what ended well, that is with status 0 or by a poweroff inside, and restarts what ended otherwise, such as with another status, by a signal or together with its host.',
            }),
          ),
          backoff: Type.Optional(
            Type.Object(
              {
                initial: Type.Optional(
                  durationSchema(
                    'Wait before the second restart in a row; doubles with each. The first is at once.',
                    '1s',
                  ),
                ),
                max: Type.Optional(durationSchema('Longest wait between restarts.', '5m')),
                resetAfter: Type.Optional(
                  durationSchema('A container that ran for this long starts from the beginning.', '10m'),
                ),
              },
              { default: {}, description: 'How long restarts wait when it ends again and again.' },
            ),
          ),
        },
        { default: {}, description: 'What happens when the container ends without being asked to.' },
      ),
    ),
    failover: Type.Optional(
      Type.Object(
        {
          policy: Type.Optional(
            Type.Unsafe<FailoverPolicy>({
              type: 'string',
              enum: [...FAILOVER_POLICIES],
              default: 'Recover',
              description:
                'Recover starts it elsewhere with its data when all of its data is on shared storage, and otherwise waits for its host. Recreate makes it anew from the image elsewhere, with an empty root. Stay always waits for its host.',
            }),
          ),
        },
        { default: {}, description: 'What happens when its host is lost.' },
      ),
    ),
    migration: Type.Optional(migrationPolicySchema),
    priority: Type.Optional(
      Type.Integer({
        minimum: -1_000_000,
        maximum: 1_000_000,
        description:
          'Of the containers of a lost host those with a higher priority are placed first. Default: 0.',
      }),
    ),
    stopTimeout: Type.Optional(
      durationSchema('How long a clean stop may take before the container is killed.', '30s'),
    ),
  },
  { description: 'What people want.' },
);

export const CONTAINER_PHASES = [
  'Pending',
  'Scheduled',
  'Creating',
  'Starting',
  'Running',
  'Stopping',
  'Stopped',
  'Migrating',
  'Failed',
  'Lost',
  'Terminating',
] as const;
export type ContainerPhase = (typeof CONTAINER_PHASES)[number];

const status = Type.Object(
  {
    observedGeneration: Type.Optional(
      Type.Integer({ format: 'int64', description: 'The metadata.generation that all this is about.' }),
    ),
    phase: Type.Optional(
      Type.Unsafe<ContainerPhase>({
        type: 'string',
        enum: [...CONTAINER_PHASES],
        description: 'Where in its life it is, for people. Programs look at the conditions.',
      }),
    ),
    nodeName: Type.Optional(Type.String({ description: 'The one node that may run the container.' })),
    epoch: Type.Optional(
      Type.Integer({
        format: 'int64',
        description: 'Grows with every new placement; agents never act on a lower one than they have seen.',
      }),
    ),
    term: Type.Optional(
      Type.Integer({
        format: 'int64',
        description:
          "The term of its node's lease that the placement belongs to. What may be placed elsewhere when the host is lost runs only under the node's present term.",
      }),
    ),
    failover: Type.Optional(
      Type.Unsafe<FailoverPolicy>({
        type: 'string',
        enum: [...FAILOVER_POLICIES],
        description:
          "What holds if the host is lost now: set with each placement, and by the node's agent once its guard knows of a change. Unless it is Recover or Recreate the container is not placed elsewhere, whatever spec.failover says since.",
      }),
    ),
    lostFrom: Type.Optional(
      Type.String({
        description:
          'The node that it was lost on, if it was placed here because of that. See hostler.dev/restore.',
      }),
    ),
    migration: Type.Optional(containerMigrationSchema),
    drainedFrom: Type.Optional(
      Type.String({
        description:
          'The node whose maintenance has moved it away, and to which the end of that brings it back.',
      }),
    ),
    stoppedFor: Type.Optional(
      Type.Unsafe<'Maintenance'>({
        type: 'string',
        enum: ['Maintenance'],
        description:
          'Why it is kept off although spec.power is Running: it cannot move, and the maintenance of its node stops what cannot.',
      }),
    ),
    restarts: Type.Optional(
      Type.Integer({ description: 'How often it was started again after it had ended by itself.' }),
    ),
    lastRestart: Type.Optional(
      Type.Object(
        {
          time: Type.String({ format: 'date-time', description: 'When it ran again.' }),
          reason: Type.String({ description: 'Ended or Error: CamelCase, for programs.' }),
          message: Type.String({ description: 'For people.' }),
        },
        { description: 'The last time it was started again after it had ended by itself.' },
      ),
    ),
    startedAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'When it was started last; absent while it does not run.',
      }),
    ),
    addresses: Type.Optional(Type.Array(Type.String(), { description: 'Global addresses, IPv4 first.' })),
    instanceName: Type.Optional(Type.String({ description: "The instance on the host's daemon." })),
    imageFingerprint: Type.Optional(
      Type.String({ description: 'SHA-256 of the image that it was made from.' }),
    ),
    conditions: Type.Optional(conditionsSchema),
  },
  { description: 'What the controllers and the agent saw last.' },
);

export type ContainerSpec = Static<typeof spec>;
export type ContainerStatus = Static<typeof status>;

/** A system container. */
export interface Container extends KubeObject {
  spec: ContainerSpec;
  status?: ContainerStatus;
}

/** Incus takes 63 letters, digits and dashes, beginning with a letter; `--` keeps name and namespace apart. */
export const MAX_INSTANCE_NAME = 63;
const NAME_PATTERN = '^[a-z][a-z0-9]*(-[a-z0-9]+)*$';

/** The instance on the host's daemon: `web--default` for the Container `default/web`. */
export function instanceNameOf(container: Pick<Container, 'metadata'>): string {
  return `${container.metadata.name}--${container.metadata.namespace}`;
}

/** @returns why no instance can have the name of `container`; undefined when one can */
export function instanceNameFault(container: Pick<Container, 'metadata'>): string | undefined {
  const { name, namespace = '' } = container.metadata;
  if (!new RegExp(NAME_PATTERN).test(name)) {
    return 'must begin with a letter, hold lower-case letters, digits and single dashes, and end with a letter or digit';
  }
  if (namespace.includes('--'))
    return `cannot be in namespace ${namespace}: an instance's name is <name>--<namespace>`;
  const length = instanceNameOf(container).length;
  return length > MAX_INSTANCE_NAME
    ? `must be at most ${MAX_INSTANCE_NAME - 2 - namespace.length} characters in namespace ${namespace}`
    : undefined;
}

export const containerKind: KindDefinition = {
  group: GROUP,
  version: VERSION,
  kind: 'Container',
  listKind: 'ContainerList',
  resource: 'containers',
  singular: 'container',
  shortNames: ['ct'],
  categories: ['hostler'],
  namespaced: true,
  description: 'A system container, which runs on one node at a time.',
  spec,
  status,
  name: { pattern: NAME_PATTERN, maxLength: MAX_INSTANCE_NAME - 3 },
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Where in its life it is.' },
    { name: 'Node', type: 'string', jsonPath: '.status.nodeName', description: 'The node that may run it.' },
    { name: 'IP', type: 'string', jsonPath: '.status.addresses[0]', description: 'Its first address.' },
    {
      name: 'Restarts',
      type: 'integer',
      jsonPath: '.status.restarts',
      description: 'How often it was started again.',
    },
    AGE_COLUMN,
    {
      name: 'Image',
      type: 'string',
      jsonPath: '.spec.image',
      description: 'What it was made from.',
      priority: 1,
    },
    {
      name: 'Pool',
      type: 'string',
      jsonPath: '.spec.rootPool',
      description: 'Where its root is.',
      priority: 1,
    },
    {
      name: 'Epoch',
      type: 'integer',
      jsonPath: '.status.epoch',
      description: 'How often it was placed.',
      priority: 1,
    },
  ],
  selectableFields: ['.status.nodeName', '.status.phase', '.spec.rootPool'],
  validate: (object, old) => faultsOf(object as Container, old as Container | undefined),
};

function faultsOf(container: Container, old: Container | undefined): FieldFault[] {
  const faults: FieldFault[] = [];
  const { name } = container.metadata;
  const nameFault = instanceNameFault(container);
  if (nameFault !== undefined) {
    faults.push({
      field: 'metadata.name',
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(name)}: ${nameFault}`,
    });
  }
  faults.push(...resourceFaults(container), ...volumeFaults(container.spec, old?.spec));
  return old === undefined ? faults : [...faults, ...changeFaults(container, old)];
}

function resourceFaults({ spec: { resources } }: Container): FieldFault[] {
  const faults: FieldFault[] = [];
  const fault = (field: string, value: unknown, message: string) =>
    faults.push({
      field,
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(value)}: ${message}`,
    });
  if (resources?.cpu !== undefined && milliCpu(resources.cpu) < 10) {
    fault('spec.resources.cpu', resources.cpu, 'must be at least 10m');
  }
  if (resources?.memory !== undefined && bytesOf(resources.memory) < 2 ** 20) {
    fault('spec.resources.memory', resources.memory, 'must be at least 1Mi');
  }
  if (resources?.disk !== undefined && bytesOf(resources.disk) < 2 ** 20) {
    fault('spec.resources.disk', resources.disk, 'must be at least 1Mi');
  }
  return faults;
}

function changeFaults(container: Container, old: Container): FieldFault[] {
  const faults: FieldFault[] = [];
  for (const field of ['image', 'rootPool'] as const) {
    if (container.spec[field] === old.spec[field]) continue;
    faults.push({
      field: `spec.${field}`,
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(container.spec[field] ?? null)}: field is immutable`,
    });
  }
  const [before, after] = [old.spec.resources?.disk, container.spec.resources?.disk];
  if (before !== undefined && bytesOf(after) < bytesOf(before)) {
    faults.push({
      field: 'spec.resources.disk',
      reason: 'FieldValueForbidden',
      message: `Forbidden: a disk cannot shrink (from ${before} to ${after ?? 'none'})`,
    });
  }
  return faults;
}
