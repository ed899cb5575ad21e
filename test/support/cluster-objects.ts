import type { Container, ContainerSpec } from '../../src/crds/container.ts';
import { API_VERSION } from '../../src/crds/kind.ts';
import type { Node, NodePool, NodeSpec, NodeStatus } from '../../src/crds/node.ts';
import type { ObjectMeta } from '../../src/crds/object.ts';
import type { StoragePool, StoragePoolSpec } from '../../src/crds/storage-pool.ts';

const LONG_AGO = '2026-01-01T00:00:00Z';
const meta = (name: string, more: Partial<ObjectMeta> = {}): ObjectMeta => ({
  name,
  uid: `uid-${name}`,
  generation: 1,
  creationTimestamp: LONG_AGO,
  ...more,
});

/** A pool entry of Node.status that is ready. */
export const poolOn = (name = 'default', more: Partial<NodePool> = {}): NodePool => ({
  name,
  poolUid: `uid-${name}`,
  ready: true,
  reason: 'Ready',
  message: '',
  ...more,
});

/** A Node that is ready, with 4 cores, 8Gi, and the pool `default`. */
export function node(
  name: string,
  more: {
    metadata?: Partial<ObjectMeta>;
    spec?: NodeSpec;
    status?: Partial<NodeStatus>;
    ready?: boolean;
  } = {},
): Node {
  return {
    apiVersion: API_VERSION,
    kind: 'Node',
    metadata: meta(name, { labels: { 'hostler.dev/host': name }, ...more.metadata }),
    spec: more.spec ?? {},
    status: {
      capacity: { cpu: '4', memory: '8Gi' },
      allocatable: { cpu: '4', memory: '8Gi' },
      pools: [poolOn()],
      conditions: [
        {
          type: 'Ready',
          status: (more.ready ?? true) ? 'True' : 'False',
          reason: (more.ready ?? true) ? 'AgentReady' : 'RuntimeUnavailable',
          message: '',
          lastTransitionTime: LONG_AGO,
        },
      ],
      ...more.status,
    },
  };
}

export function storagePool(
  name = 'default',
  more: { metadata?: Partial<ObjectMeta>; spec?: Partial<StoragePoolSpec> } = {},
): StoragePool {
  return {
    apiVersion: API_VERSION,
    kind: 'StoragePool',
    metadata: meta(name, more.metadata),
    spec: { driver: 'dir', reclaimPolicy: 'Retain', ...more.spec },
  };
}

/** A Container in the namespace `default` that asks for nothing. @param nodeName where it is placed already */
export function container(
  name: string,
  more: { metadata?: Partial<ObjectMeta>; spec?: Partial<ContainerSpec>; nodeName?: string } = {},
): Container {
  return {
    apiVersion: API_VERSION,
    kind: 'Container',
    metadata: meta(name, { namespace: 'default', ...more.metadata }),
    spec: { image: 'images:debian/12', power: 'Running', rootPool: 'default', ...more.spec },
    ...(more.nodeName === undefined ? {} : { status: { nodeName: more.nodeName, epoch: 1 } }),
  };
}
