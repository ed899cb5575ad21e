import { type Static, Type } from 'typebox';
import { conditionsSchema } from './conditions.ts';
import { AGE_COLUMN, type FieldFault, GROUP, type KindDefinition, VERSION } from './kind.ts';
import { leaseTimingFaults, leaseTimingSchema } from './lease-timing.ts';
import type { KubeObject } from './object.ts';
import { migrationLimitsSchema, rebalanceFaults, rebalanceSchema } from './rebalance.ts';

/** The one ClusterPolicy that counts. */
export const CLUSTER_POLICY_NAME = 'cluster';

const nodeClassSchema = Type.Object({
  name: Type.String({
    minLength: 1,
    maxLength: 63,
    pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
    description: 'What Node.status.lease.class calls it.',
  }),
  nodeSelector: Type.Unsafe<Record<string, string>>({
    type: 'object',
    additionalProperties: { type: 'string', maxLength: 63 },
    minProperties: 1,
    maxProperties: 16,
    description: 'Labels that the nodes of this class have.',
  }),
  nodeLease: leaseTimingSchema(
    'The lease of these nodes. What is left out has its default, not the value of spec.nodeLease.',
  ),
});

const spec = Type.Object(
  {
    nodeLease: Type.Optional(
      leaseTimingSchema(
        'How fast a node that is lost is noticed and fenced, for nodes that are of no class.',
      ),
    ),
    nodeClasses: Type.Optional(
      Type.Array(nodeClassSchema, {
        maxItems: 32,
        description: 'Nodes that are to be treated otherwise. The first one that selects a node counts.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    ),
    migration: Type.Optional(migrationLimitsSchema),
    rebalance: Type.Optional(rebalanceSchema),
  },
  { description: 'What people want of the cluster as a whole.' },
);

const status = Type.Object(
  {
    observedGeneration: Type.Optional(
      Type.Integer({
        format: 'int64',
        description: 'The metadata.generation that the conditions are about.',
      }),
    ),
    conditions: Type.Optional(conditionsSchema),
  },
  { description: 'What the policy controller saw last.' },
);

export type ClusterPolicySpec = Static<typeof spec>;
export type ClusterPolicyStatus = Static<typeof status>;
export type NodeClass = Static<typeof nodeClassSchema>;

/** What holds for the cluster as a whole; there is one, named `cluster`, and without it everything has its default. */
export interface ClusterPolicy extends KubeObject {
  spec: ClusterPolicySpec;
  status?: ClusterPolicyStatus;
}

export const clusterPolicyKind: KindDefinition = {
  group: GROUP,
  version: VERSION,
  kind: 'ClusterPolicy',
  listKind: 'ClusterPolicyList',
  resource: 'clusterpolicies',
  singular: 'clusterpolicy',
  shortNames: ['cpol'],
  categories: ['hostler'],
  namespaced: false,
  description:
    'What holds for the cluster as a whole. There is one, named cluster; without it everything has its default.',
  spec,
  status,
  name: { pattern: `^${CLUSTER_POLICY_NAME}$`, maxLength: CLUSTER_POLICY_NAME.length },
  columns: [
    {
      name: 'Accepted',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Accepted")].status',
      description: 'Whether it is followed; False says why not in its message.',
    },
    {
      name: 'Renew',
      type: 'string',
      jsonPath: '.spec.nodeLease.renew',
      description: 'Time between two renewals of a node lease.',
    },
    {
      name: 'Duration',
      type: 'string',
      jsonPath: '.spec.nodeLease.duration',
      description: 'How long one renewal lasts.',
    },
    {
      name: 'Fence-Delay',
      type: 'string',
      jsonPath: '.spec.nodeLease.fenceDelay',
      description: 'What guards have for stopping containers.',
    },
    AGE_COLUMN,
  ],
  selectableFields: [],
  validate: (object) => clusterPolicyFaults(object as ClusterPolicy),
};

/** What the schema cannot say; the same on every Kubernetes, where the controller puts it into a condition. */
export function clusterPolicyFaults({
  spec: { nodeLease, nodeClasses = [], rebalance },
}: ClusterPolicy): FieldFault[] {
  return [
    ...rebalanceFaults(rebalance),
    ...leaseTimingFaults(nodeLease, 'spec.nodeLease'),
    ...nodeClasses.flatMap((one, index) =>
      leaseTimingFaults(one.nodeLease, `spec.nodeClasses[${index}].nodeLease`),
    ),
  ];
}
