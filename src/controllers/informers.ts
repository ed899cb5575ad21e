import { type ClusterPolicy, clusterPolicyKind } from '../crds/cluster-policy.ts';
import { type Container, containerKind } from '../crds/container.ts';
import { type DisruptionBudget, disruptionBudgetKind } from '../crds/disruption-budget.ts';
import { NODE_LEASE_NAMESPACE } from '../crds/kind.ts';
import { type ConfigMap, configMapRef, type Lease, leaseRef, MEMBERS_CONFIG_MAP } from '../crds/lease.ts';
import { type Migration, migrationKind } from '../crds/migration.ts';
import { type Node, nodeKind } from '../crds/node.ts';
import { type StoragePool, storagePoolKind } from '../crds/storage-pool.ts';
import { containerKeyOf } from '../plan/relocation/moves.ts';
import { poolsOf } from '../plan/storage/container-folders.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { createInformer, type Informer } from '../reconcile/informer.ts';

/** What the controllers look at. They may run in every replica, leading or not, so that a new leader starts at once. */
export interface Informers {
  readonly nodes: Informer<Node>;
  readonly pools: Informer<StoragePool>;
  /** Indexes: BY_NODE, BY_POOL, BY_LOST_FROM, BY_DRAINED_FROM. */
  readonly containers: Informer<Container>;
  /** Index: BY_CONTAINER. */
  readonly migrations: Informer<Migration>;
  readonly budgets: Informer<DisruptionBudget>;
  readonly policies: Informer<ClusterPolicy>;
  /** The nodes' leases, each named as its node. */
  readonly leases: Informer<Lease>;
  /** The ConfigMap of the member list alone. */
  readonly members: Informer<ConfigMap>;
}

/** Index of containers by `status.nodeName`. */
export const BY_NODE = 'nodeName';
/** Index of containers by every pool that they name, of the root or of volumes. */
export const BY_POOL = 'pool';

/** Index of containers by `status.lostFrom`. */
export const BY_LOST_FROM = 'lostFrom';
/** Index of containers by `status.drainedFrom`. */
export const BY_DRAINED_FROM = 'drainedFrom';
/** Index of migrations by the key of the container that they are about. */
export const BY_CONTAINER = 'container';

export interface InformersOptions {
  store: ObjectStore;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}

export function createInformers(options: InformersOptions): Informers {
  return {
    nodes: createInformer<Node>({ ...options, ref: nodeKind }),
    pools: createInformer<StoragePool>({ ...options, ref: storagePoolKind }),
    containers: createInformer<Container>({
      ...options,
      ref: containerKind,
      indexes: {
        [BY_NODE]: ({ status }) => (status?.nodeName ? [status.nodeName] : []),
        [BY_LOST_FROM]: ({ status }) => (status?.lostFrom ? [status.lostFrom] : []),
        [BY_DRAINED_FROM]: ({ status }) => (status?.drainedFrom ? [status.drainedFrom] : []),
        [BY_POOL]: poolsOf,
      },
    }),
    migrations: createInformer<Migration>({
      ...options,
      ref: migrationKind,
      indexes: { [BY_CONTAINER]: (migration) => [containerKeyOf(migration)] },
    }),
    budgets: createInformer<DisruptionBudget>({ ...options, ref: disruptionBudgetKind }),
    policies: createInformer<ClusterPolicy>({ ...options, ref: clusterPolicyKind }),
    leases: createInformer<Lease>({ ...options, ref: leaseRef, namespace: NODE_LEASE_NAMESPACE }),
    members: createInformer<ConfigMap>({
      ...options,
      ref: configMapRef,
      namespace: NODE_LEASE_NAMESPACE,
      fieldSelector: `metadata.name=${MEMBERS_CONFIG_MAP}`,
    }),
  };
}
