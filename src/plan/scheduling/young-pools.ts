import type { Container } from '../../crds/container.ts';
import { isShared, type StoragePool } from '../../crds/storage-pool.ts';
import { poolsOf } from '../storage/container-folders.ts';
import type { SchedulingFacts } from './facts.ts';
import { matchesLabels } from './labels.ts';
import type { NodeFacts } from './node-facts.ts';

/** Nodes prove within a few seconds that a new Shared pool is the same one for all; the first would get everything before. */
export const YOUNG_POOL_MS = 10_000;
/** Of an entry of Node.status.pools that will say something else soon. */
const UNDECIDED = new Set(['Pending', 'Proving']);

/**
 * Whether to wait with a container, although a node would take it: one of its Shared pools has only just been created, and
 * nodes that are ready have not said yet whether they have it. Bounded by the age of the pool, and never for a container that
 * is pinned.
 * @param isYoung whether a pool was created within YOUNG_POOL_MS
 */
export function waitsForPools(
  container: Container,
  facts: SchedulingFacts,
  isYoung: (pool: StoragePool) => boolean,
): boolean {
  const pin = container.spec.placement?.nodeName;
  if (pin !== undefined && pin !== '') return false;
  return poolsOf(container).some((name) => {
    const pool = facts.pools.get(name);
    return pool !== undefined && isShared(pool) && isYoung(pool) && isUndecided(pool, facts);
  });
}

function isUndecided(pool: StoragePool, { nodes }: SchedulingFacts): boolean {
  return [...nodes.values()].some((node) => isAsked(pool, node) && isWithoutAnswer(pool, node));
}

function isAsked({ spec }: StoragePool, node: NodeFacts): boolean {
  return (
    node.isReady && !node.isUnschedulable && !node.isDeleting && matchesLabels(node.labels, spec.nodeSelector)
  );
}

function isWithoutAnswer({ metadata }: StoragePool, node: NodeFacts): boolean {
  const entry = node.pools.get(metadata.name);
  if (entry === undefined || (entry.poolUid !== undefined && entry.poolUid !== metadata.uid)) return true;
  return !entry.ready && UNDECIDED.has(entry.reason);
}
