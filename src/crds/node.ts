import { type Static, Type } from 'typebox';
import { conditionsSchema } from './conditions.ts';
import { durationSchema } from './duration.ts';
import { AGE_COLUMN, type FieldFault, GROUP, type KindDefinition, VERSION } from './kind.ts';
import { drainSchema, drainStatusSchema, maintenanceSchema } from './maintenance.ts';
import type { KubeObject } from './object.ts';
import { quantitySchema } from './quantity.ts';

const taintSchema = Type.Object({
  key: Type.String({ minLength: 1, maxLength: 316, description: 'What tolerations name it by.' }),
  value: Type.Optional(
    Type.String({ maxLength: 63, default: '', description: 'What tolerations with Equal compare.' }),
  ),
  effect: Type.Unsafe<'NoSchedule' | 'PreferNoSchedule'>({
    type: 'string',
    enum: ['NoSchedule', 'PreferNoSchedule'],
    description:
      'NoSchedule keeps new containers away that do not tolerate it; PreferNoSchedule only makes the node less attractive.',
  }),
});

const fencingSchema = Type.Object(
  {
    exec: Type.Optional(
      Type.Object(
        {
          command: Type.Array(Type.String({ minLength: 1 }), {
            minItems: 1,
            maxItems: 32,
            description:
              "Program and arguments, run where the controllers run, without a shell. HOSTLER_NODE is the node's name. Exit code 0 means that the host is off for certain.",
          }),
          timeout: Type.Optional(durationSchema('How long it may take.', '30s')),
        },
        { description: 'A command that switches the host off.' },
      ),
    ),
    redfish: Type.Optional(
      Type.Object(
        {
          url: Type.String({
            pattern: '^https://[^\\s?#]+$',
            maxLength: 1024,
            description:
              "The host's ComputerSystem on its management controller: https://bmc-2.example/redfish/v1/Systems/1",
          }),
          secretName: Type.String({
            minLength: 1,
            maxLength: 253,
            description:
              'A Secret in namespace hostler-nodes with username, password, and optionally ca.crt (PEM).',
          }),
          timeout: Type.Optional(durationSchema('How long it may take.', '30s')),
        },
        { description: 'Switches the host off through Redfish, and looks whether it is off.' },
      ),
    ),
  },
  {
    description:
      'How the host can be switched off when it is lost and cannot be trusted to have stopped its containers by itself.',
  },
);

const spec = Type.Object(
  {
    unschedulable: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Whether new containers are kept away (cordon). Those that run here stay.',
      }),
    ),
    taints: Type.Optional(
      Type.Array(taintSchema, {
        description: 'Keeps away containers that do not tolerate them.',
        default: [],
      }),
    ),
    reserved: Type.Optional(
      Type.Object(
        {
          cpu: Type.Optional(quantitySchema('Cores kept for the host itself.')),
          memory: Type.Optional(quantitySchema('Bytes of memory kept for the host itself.')),
        },
        { description: 'Taken off the capacity before containers are placed.' },
      ),
    ),
    fencing: Type.Optional(fencingSchema),
    maintenance: Type.Optional(maintenanceSchema),
    drain: Type.Optional(drainSchema),
  },
  { description: 'What people want of the host.' },
);

const resourcesSchema = (description: string) =>
  Type.Object({ cpu: quantitySchema('Cores.'), memory: quantitySchema('Bytes.') }, { description });

const poolSchema = Type.Object({
  name: Type.String({ description: 'The StoragePool, and the pool on the daemon, of this name.' }),
  poolUid: Type.Optional(Type.String({ description: 'uid of the StoragePool that the agent acted on.' })),
  observedGeneration: Type.Optional(
    Type.Integer({ format: 'int64', description: 'Generation of the StoragePool that the agent acted on.' }),
  ),
  driver: Type.Optional(Type.String({ description: "The daemon's storage driver." })),
  ready: Type.Boolean({ description: 'Whether containers can be created on it now.' }),
  reason: Type.String({ description: 'CamelCase, for programs.' }),
  message: Type.String({ description: "For people; the daemon's own words where it failed." }),
  proof: Type.Optional(
    Type.String({
      description:
        'Of a Shared pool: what the agent has written into it since it started, to be seen there by others.',
    }),
  ),
  total: Type.Optional(quantitySchema('Size in bytes.')),
  used: Type.Optional(
    quantitySchema('Bytes used, rounded up to a 64th of the size, so that a quiet host writes nothing.'),
  ),
});

const status = Type.Object(
  {
    observedGeneration: Type.Optional(
      Type.Integer({ format: 'int64', description: 'The metadata.generation that the agent has seen.' }),
    ),
    capacity: Type.Optional(resourcesSchema('What the host has.')),
    allocatable: Type.Optional(
      resourcesSchema('What containers may ask for: the capacity less spec.reserved.'),
    ),
    addresses: Type.Optional(
      Type.Array(
        Type.Object({
          type: Type.Unsafe<'InternalIP' | 'Hostname'>({
            type: 'string',
            enum: ['InternalIP', 'Hostname'],
            description: 'What kind of address it is.',
          }),
          address: Type.String({ description: 'The address or the name.' }),
        }),
        { description: 'How the host is reached, its addresses before its name.' },
      ),
    ),
    agentPort: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65_535,
        description: 'Port of the agent, on which the other agents ask it when the API does not answer.',
      }),
    ),
    lease: Type.Optional(
      Type.Object(
        {
          renew: Type.String({ description: 'Time between two renewals.' }),
          duration: Type.String({ description: 'How long one renewal lasts.' }),
          fenceDelay: Type.String({ description: 'What the guard has for stopping its containers.' }),
          class: Type.Optional(
            Type.String({ description: 'The class of ClusterPolicy.spec.nodeClasses that it is of.' }),
          ),
        },
        {
          description:
            "The timing of the node's lease that is in force. After a change of the ClusterPolicy a shorter one takes as long as what the longer one had given.",
        },
      ),
    ),
    taints: Type.Optional(
      Type.Array(taintSchema, {
        description:
          'Why no new containers are placed here, besides spec.taints: hostler.dev/not-ready, hostler.dev/unreachable, hostler.dev/flapping. Follow from what was seen; only the last one can be tolerated.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['key'],
      }),
    ),
    nodeInfo: Type.Optional(
      Type.Object(
        {
          runtime: Type.String({ description: 'incus or lxd' }),
          runtimeVersion: Type.String({ description: "The daemon's version." }),
          kernelVersion: Type.String({ description: "The host's kernel." }),
          operatingSystem: Type.String({ description: "The host's distribution and its version." }),
          architecture: Type.String({ description: 'As the daemon names it: x86_64' }),
          agentVersion: Type.String({ description: "Hostler's version on the host." }),
        },
        { description: 'What the host is made of.' },
      ),
    ),
    pools: Type.Optional(
      Type.Array(poolSchema, {
        description: 'One entry for each StoragePool that selects this node.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    ),
    migration: Type.Optional(
      Type.Object(
        {
          live: Type.Boolean({
            description: 'Whether containers can move off and onto this host while they run.',
          }),
          reason: Type.String({ description: 'CamelCase, for programs: why not, or Capable.' }),
          message: Type.String({ description: 'For people: what is missing, and how to come by it.' }),
          address: Type.Optional(
            Type.String({
              description:
                'Where the daemons of other hosts reach the one of this host, as https://10.0.0.7:8443. Absent: nowhere, so that nothing moves off it.',
            }),
          ),
          certificate: Type.String({
            description: "The daemon's own certificate (PEM); the other side accepts no other from it.",
          }),
        },
        { description: 'What the agent has found out about moving containers off and onto this host.' },
      ),
    ),
    images: Type.Optional(
      Type.Array(
        Type.Object({
          reference: Type.String({ description: 'As spec.image names it.' }),
          fingerprint: Type.String({ description: 'SHA-256 of the image.' }),
        }),
        {
          description:
            'Images that are on the host already, by the references under which they were asked for.',
        },
      ),
    ),
    drain: Type.Optional(drainStatusSchema),
    conditions: Type.Optional(conditionsSchema),
  },
  { description: 'What the agent and the node controller saw last.' },
);

export type NodeSpec = Static<typeof spec>;
export type NodeStatus = Static<typeof status>;
export type Taint = Static<typeof taintSchema>;
export type Fencing = Static<typeof fencingSchema>;
export type NodePool = Static<typeof poolSchema>;

/** A host: a machine with an Incus or LXD daemon and one Hostler agent. */
export interface Node extends KubeObject {
  spec: NodeSpec;
  status?: NodeStatus;
}

export const nodeKind: KindDefinition = {
  group: GROUP,
  version: VERSION,
  kind: 'Node',
  listKind: 'NodeList',
  resource: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  categories: ['hostler'],
  namespaced: false,
  description:
    'A host: a machine with an Incus or LXD daemon and one Hostler agent. The agent registers it by itself.',
  spec,
  status,
  name: { pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', maxLength: 63 },
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether containers can run here.',
    },
    {
      name: 'Cordoned',
      type: 'boolean',
      jsonPath: '.spec.unschedulable',
      description: 'Whether new containers are kept away.',
    },
    {
      name: 'Maintenance',
      type: 'string',
      jsonPath: '.status.drain.phase',
      description: 'How far the last drain or restore has come.',
    },
    {
      name: 'CPU',
      type: 'string',
      jsonPath: '.status.allocatable.cpu',
      description: 'Cores for containers.',
    },
    {
      name: 'Memory',
      type: 'string',
      jsonPath: '.status.allocatable.memory',
      description: 'Memory for containers.',
    },
    {
      name: 'Address',
      type: 'string',
      jsonPath: '.status.addresses[0].address',
      description: "The host's first address.",
    },
    AGE_COLUMN,
    {
      name: 'Lease',
      type: 'string',
      jsonPath: '.status.lease.duration',
      description: 'How long one renewal of its lease lasts.',
      priority: 1,
    },
    {
      name: 'Runtime',
      type: 'string',
      jsonPath: '.status.nodeInfo.runtime',
      description: 'incus or lxd.',
      priority: 1,
    },
    {
      name: 'Version',
      type: 'string',
      jsonPath: '.status.nodeInfo.runtimeVersion',
      description: "The daemon's version.",
      priority: 1,
    },
    {
      name: 'Kernel',
      type: 'string',
      jsonPath: '.status.nodeInfo.kernelVersion',
      description: "The host's kernel.",
      priority: 1,
    },
    {
      name: 'Live',
      type: 'boolean',
      jsonPath: '.status.migration.live',
      description: 'Whether containers can move here, and away, while they run.',
      priority: 1,
    },
  ],
  selectableFields: ['.spec.unschedulable'],
  validate: (object) => faultsOf(object as Node),
};

function faultsOf({ spec: { fencing } }: Node): FieldFault[] {
  if (fencing === undefined || (fencing.exec === undefined) !== (fencing.redfish === undefined)) return [];
  return [
    {
      field: 'spec.fencing',
      reason: 'FieldValueInvalid',
      message: 'Invalid value: exactly one of exec and redfish must be set',
    },
  ];
}
