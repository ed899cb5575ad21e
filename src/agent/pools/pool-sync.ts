import type { Node, NodePool } from '../../crds/node.ts';
import { bytesOf } from '../../crds/quantity.ts';
import { isShared, type StoragePool } from '../../crds/storage-pool.ts';
import type { Clock } from '../../ports/clock.ts';
import { errorCode, hasCode, messageOf } from '../../ports/errors.ts';
import type { HostDriver, PoolSpec } from '../../ports/host-driver.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import {
  type Controller,
  createController,
  type Reconcile,
  type ReconcileResult,
} from '../../reconcile/controller.ts';
import type { Change, Informer } from '../../reconcile/informer.ts';
import { isSameJson } from '../../reconcile/same-json.ts';
import { createTrigger, informerSource, periodicSource, type Source } from '../../reconcile/source.ts';
import type { SharedPools } from './shared-pool.ts';

/**
 * Makes the StoragePools that select this node, on its daemon, and removes those whose deletion asks for it. What came of
 * it stands in Node.status.pools; an entry that is missing there says that nothing (more) of the pool is on this host
 * that anybody has to wait for. A pool of the daemon that is not ours is never touched, and neither is one that merely
 * is not selected any more.
 */
export interface PoolSync {
  readonly controller: Controller;
  /**
   * What is known of each StoragePool, by name. `undefined`: it has been dealt with, and no entry is due; a name that is
   * missing has not been looked at yet.
   */
  results(): ReadonlyMap<string, NodePool | undefined>;
  enqueueAll(): void;
}

export interface PoolSyncDeps {
  nodeName: string;
  pools: Informer<StoragePool>;
  nodes: Informer<Node>;
  host: HostDriver;
  shared: SharedPools;
  /** While the API is not trusted nothing is made or removed. */
  cluster: { isTrusted(): boolean };
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  resyncMs: number;
  /** A result is another one now. */
  onChange(): void;
}

const RETRY_MS = 5_000;
/** How often a Shared pool is looked at that is, or is not yet, ready. */
const SHARED_LOOK_MS = 30_000;
const SHARED_RETRY_MS = 1_000;
const IN_USE_MS = 3_000;
const DEADLINE_MS = 10 * 60_000;

export function createPoolSync(deps: PoolSyncDeps): PoolSync {
  const { nodeName, pools, nodes, host, logger } = deps;
  const results = new Map<string, NodePool | undefined>();
  const trigger = createTrigger();
  const names = (): string[] => pools.cache.list().map(({ metadata }) => metadata.name);

  const settle = (name: string, entry: NodePool | undefined): void => {
    const before = results.get(name);
    const isNew = !results.has(name) || JSON.stringify(before) !== JSON.stringify(entry);
    results.set(name, entry);
    if (!isNew) return;
    logger.info({ pool: name, ready: entry?.ready, reason: entry?.reason ?? 'Gone' }, 'storage pool');
    deps.onChange();
  };

  const share = async (pool: StoragePool): Promise<ReconcileResult> => {
    const state = await deps.shared.look(pool);
    settle(pool.metadata.name, entryOf(pool, state));
    return { requeueAfterMs: state.ready ? SHARED_LOOK_MS : SHARED_RETRY_MS };
  };

  const make = async (pool: StoragePool, signal: AbortSignal): Promise<ReconcileResult> => {
    const { name } = pool.metadata;
    try {
      await host.ensurePool(poolSpecOf(pool), signal);
      settle(name, entryOf(pool, { ready: true, reason: 'Ready', message: '' }));
      return {};
    } catch (error) {
      if (signal.aborted) throw error;
      settle(name, entryOf(pool, { ready: false, reason: reasonOf(error), message: messageOf(error) }));
      return { requeueAfterMs: RETRY_MS };
    }
  };

  const remove = async (pool: StoragePool, signal: AbortSignal): Promise<ReconcileResult> => {
    const { name, uid = '' } = pool.metadata;
    try {
      if (isShared(pool)) await deps.shared.release(pool);
      else await host.deletePool(name, uid, signal);
      settle(name, undefined);
      return {};
    } catch (error) {
      if (signal.aborted) throw error;
      // There is a pool of that name, and it is not ours: nothing of ours is left.
      if (hasCode(error, 'Forbidden')) return (settle(name, undefined), {});
      const reason = hasCode(error, 'Conflict') ? 'InUse' : 'FailedDelete';
      settle(name, entryOf(pool, { ready: false, reason, message: messageOf(error) }));
      return { requeueAfterMs: hasCode(error, 'Conflict') ? IN_USE_MS : RETRY_MS };
    }
  };

  const reconcile = async (name: string, signal: AbortSignal): Promise<ReconcileResult> => {
    const node = nodes.cache.get(nodeName);
    if (!pools.hasSynced() || node === undefined || !deps.cluster.isTrusted()) return {};
    const pool = pools.cache.get(name);
    if (pool === undefined) {
      if (results.delete(name)) deps.onChange();
      return {};
    }
    if (pool.metadata.deletionTimestamp !== undefined) {
      if (pool.spec.reclaimPolicy === 'Delete') return await remove(pool, signal);
      const message = 'Left on the host with its data, as spec.reclaimPolicy says';
      settle(name, entryOf(pool, { ready: false, reason: 'Released', message }));
      return {};
    }
    if (isSelected(pool, node)) return isShared(pool) ? await share(pool) : await make(pool, signal);
    settle(name, undefined);
    return {};
  };

  const controller = poolController(deps, { reconcile, names, trigger });

  return {
    controller,
    results: () => results,
    enqueueAll() {
      for (const name of names()) trigger.enqueue(name);
    },
  };
}

function poolController(
  deps: PoolSyncDeps,
  { reconcile, names, trigger }: { reconcile: Reconcile; names: () => string[]; trigger: Source },
): Controller {
  const { pools, nodes } = deps;
  return createController({
    ...deps,
    name: 'storage-pools',
    reconcile,
    sources: [
      informerSource(pools, poolsToWorkOn),
      informerSource(nodes, (_node, { old, new: now }) =>
        JSON.stringify(old?.metadata.labels) === JSON.stringify(now?.metadata.labels) ? [] : names(),
      ),
      periodicSource(deps.clock, deps.resyncMs, names),
      trigger,
    ],
    concurrency: 2,
    deadlineMs: DEADLINE_MS,
  });
}

/**
 * The status is another one with each container that comes or goes; only who is the anchor and what the nodes have written
 * counts: an anchor that looks again only after a while keeps all the others waiting.
 */
function poolsToWorkOn({ metadata }: StoragePool, { old, new: now }: Change<StoragePool>): string[] {
  const [before, after] = [old, now].map((pool) => {
    const { uid, generation, deletionTimestamp } = pool?.metadata ?? {};
    const { anchor, nodes = {} } = pool?.status ?? {};
    const proofs = Object.entries(nodes).map(([node, { proof }]) => [node, proof ?? null]);
    return { uid, generation, deletionTimestamp, anchor: anchor ?? null, proofs };
  });
  return isSameJson(before, after) ? [] : [metadata.name];
}

function poolSpecOf({ metadata, spec }: StoragePool): PoolSpec {
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    driver: spec.driver,
    ...(spec.source === undefined ? {} : { source: spec.source }),
    ...(spec.size === undefined ? {} : { sizeBytes: bytesOf(spec.size) }),
    config: spec.config ?? {},
  };
}

function entryOf(
  { metadata, spec }: StoragePool,
  result: Pick<NodePool, 'ready' | 'reason' | 'message' | 'proof' | 'total' | 'used'>,
): NodePool {
  return {
    name: metadata.name,
    ...(metadata.uid === undefined ? {} : { poolUid: metadata.uid }),
    ...(metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }),
    driver: spec.driver,
    ...result,
  };
}

function isSelected({ spec }: StoragePool, { metadata }: Node): boolean {
  const { labels = {} } = metadata;
  return Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
}

function reasonOf(error: unknown): string {
  switch (errorCode(error)) {
    case 'AlreadyExists':
      return 'NameTaken';
    case 'Invalid':
      return 'Invalid';
    case 'Unavailable':
    case 'Timeout':
      return 'HostUnavailable';
    default:
      return 'FailedCreate';
  }
}
