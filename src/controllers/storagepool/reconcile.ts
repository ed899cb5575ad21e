import { type Container, containerKind } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import { isShared, type StoragePool, storagePoolKind } from '../../crds/storage-pool.ts';
import { HOST_FINALIZER } from '../../crds/kind.ts';
import { poolsOf } from '../../plan/storage/container-folders.ts';
import { planPoolDeletion } from '../../plan/storage/pool-deletion.ts';
import { type PoolFacts, summarizePool } from '../../plan/storage/pool-status.ts';
import { anchorOf } from '../../plan/storage/shared-proof.ts';
import type { Reconcile } from '../../reconcile/controller.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';
import { addFinalizer, removeFinalizer } from '../finalizer.ts';
import { BY_POOL } from '../informers.ts';
import { timeStamp } from '../time-stamp.ts';
import { poolStatus } from './status.ts';

/** A last look for containers, before a pool is let go. Later ones are refused: their pool is being deleted. */
const LAST_LOOK_MS = 1_000;

/**
 * Sums up in a StoragePool's status what its nodes report, holds it by a finalizer, and lets it go when nothing needs it
 * any more (plan/storage/pool-deletion.ts). The pools on the hosts are the agents' to make and to remove.
 */
export function storagePoolReconciler(deps: ControllerDeps): Reconcile {
  const target = { store: deps.store, ref: storagePoolKind };
  return async (name, signal) => {
    const { pools, nodes, containers } = deps.informers;
    const cached = pools.cache.get(name);
    if (cached === undefined) return {};
    const isDeleting = cached.metadata.deletionTimestamp !== undefined;
    const pool = isDeleting ? cached : await addFinalizer(target, cached, HOST_FINALIZER, signal);
    const facts: PoolFacts = {
      pool,
      nodes: nodes.cache.list(),
      containers: containers.cache.byIndex(BY_POOL, name).map(keyOf).sort(),
    };
    const deletion = isDeleting ? planPoolDeletion(facts) : undefined;
    if (deletion?.done === true) {
      if (await hasContainers(deps, pool, signal)) return { requeueAfterMs: LAST_LOOK_MS };
      await removeFinalizer(target, pool, HOST_FINALIZER, signal);
      return {};
    }
    const anchor = isShared(pool) ? anchorOf(pool, facts.nodes) : undefined;
    const parts = { terminating: deletion?.condition, anchor };
    const status = poolStatus(pool, summarizePool(facts), parts, timeStamp(deps.clock));
    await writeStatus(target, pool, status, signal);
    return {};
  };
}

/** Read afresh: a cache that lags must not look like a pool that nobody uses. */
async function hasContainers(
  { store }: ControllerDeps,
  { metadata }: StoragePool,
  signal: AbortSignal,
): Promise<boolean> {
  const { items } = await store.list<Container>(containerKind, {}, signal);
  return items.some((container) => poolsOf(container).includes(metadata.name));
}
