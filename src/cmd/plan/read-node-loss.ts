import { type Container, containerKind } from '../../crds/container.ts';
import { NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import { type ConfigMap, configMapRef, type Lease, leaseRef, MEMBERS_CONFIG_MAP } from '../../crds/lease.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import { keyOf } from '../../crds/object.ts';
import { type StoragePool, storagePoolKind } from '../../crds/storage-pool.ts';
import { leaseRecord } from '../../plan/failover/lease-record.ts';
import { parseMembers } from '../../plan/failover/membership.ts';
import { type Fate, planNodeLoss } from '../../plan/failover/node-loss.ts';
import { createSchedulingFacts } from '../../plan/scheduling/facts.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { listAll } from '../../reconcile/list-all.ts';
import { getNode } from '../known-node.ts';

export interface NodeLoss {
  node: string;
  /** What proves that it has stopped its containers, or why nothing does. */
  fenced: { byTime: true; afterSeconds: number } | { byTime: false; why: string };
  containers: { key: string; priority: number; fate: Fate }[];
}

type Reader = Pick<ObjectStore, 'get' | 'list'>;

/** @throws NotFound when there is no such node */
export async function readNodeLoss(store: Reader, name: string, signal: AbortSignal): Promise<NodeLoss> {
  const node = await getNode({ store, signal }, name);
  const [nodes, pools, containers] = await Promise.all([
    listAll<Node>(store, nodeKind, {}, signal),
    listAll<StoragePool>(store, storagePoolKind, {}, signal),
    listAll<Container>(store, containerKind, {}, signal),
  ]);
  const facts = createSchedulingFacts({
    nodes: nodes.items,
    pools: pools.items,
    containers: containers.items,
  });
  const there = containers.items.filter(({ status }) => status?.nodeName === name);
  return {
    node: name,
    fenced: await fencedBy(store, node, signal),
    containers: planNodeLoss(name, there, facts).map(({ container, fate }) => ({
      key: keyOf(container),
      priority: container.spec.priority ?? 0,
      fate,
    })),
  };
}

async function fencedBy(
  store: Reader,
  { metadata, spec }: Node,
  signal: AbortSignal,
): Promise<NodeLoss['fenced']> {
  const namespace = NODE_LEASE_NAMESPACE;
  const lease = await store.get<Lease>(leaseRef, { namespace, name: metadata.name }, signal);
  const map = await store.get<ConfigMap>(configMapRef, { namespace, name: MEMBERS_CONFIG_MAP }, signal);
  const count = parseMembers(map?.data)?.members.length ?? 0;
  const no = (why: string): NodeLoss['fenced'] => ({
    byTime: false,
    why: spec.fencing === undefined ? why : `${why}; spec.fencing is used instead`,
  });
  if (lease === undefined) return no('its agent has never taken a lease');
  const record = leaseRecord(lease);
  if (record.holder === '') return no('its lease is revoked');
  if (count < 3)
    return no(
      `with ${count === 1 ? 'one node' : `${count} nodes`} that count no majority is left without it`,
    );
  if (!record.isGuarded) return no('its guard is not armed');
  if (record.timingFault !== undefined) return no(record.timingFault);
  const { durationMs, fenceDelayMs } = record.timing;
  return { byTime: true, afterSeconds: (durationMs + fenceDelayMs) / 1_000 };
}
