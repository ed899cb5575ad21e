import { type ClusterPolicy, clusterPolicyKind } from '../crds/cluster-policy.ts';
import { type Container, containerKind } from '../crds/container.ts';
import { NODE_LEASE_NAMESPACE } from '../crds/kind.ts';
import { type ConfigMap, configMapRef, type Lease, leaseRef, MEMBERS_CONFIG_MAP } from '../crds/lease.ts';
import { type Node, nodeKind } from '../crds/node.ts';
import { type StoragePool, storagePoolKind } from '../crds/storage-pool.ts';
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
  /** Indexes: BY_NODE, BY_POOL, BY_LOST_FROM. */
  readonly containers: Informer<Container>;
  /** The nodes' leases, each named as its node. */
  readonly leases: Informer<Lease>;
  readonly policies: Informer<ClusterPolicy>;
  /** The ConfigMap of the member list alone. */
  readonly members: Informer<ConfigMap>;
}

/** Index of containers by `status.nodeName`. */
export const BY_NODE = 'nodeName';
/** Index of containers by every pool that they name, of the root or of volumes. */
export const BY_POOL = 'pool';

/** Index of containers by `status.lostFrom`. */
export const BY_LOST_FROM = 'lostFrom';

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
        [BY_POOL]: poolsOf,
      },
    }),
    leases: createInformer<Lease>({ ...options, ref: leaseRef, namespace: NODE_LEASE_NAMESPACE }),
    policies: createInformer<ClusterPolicy>({ ...options, ref: clusterPolicyKind }),
    members: createInformer<ConfigMap>({
      ...options,
      ref: configMapRef,
      namespace: NODE_LEASE_NAMESPACE,
      fieldSelector: `metadata.name=${MEMBERS_CONFIG_MAP}`,
    }),
  };
}
