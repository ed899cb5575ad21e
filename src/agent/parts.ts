import { API_VERSION } from '../crds/kind.ts';
import { nodeKind, type NodePool } from '../crds/node.ts';
import type { StoragePool } from '../crds/storage-pool.ts';
import type { Informer } from '../reconcile/informer.ts';
import type { Runnable } from '../reconcile/runnable.ts';
import type { AgentDeps, AgentOptions } from './agent.ts';
import { type Core, createCore, type Informers } from './core.ts';
import { createFailoverParts, type FailoverParts } from './failover.ts';
import { type ClusterGuard, createClusterGuard } from './cluster-guard.ts';
import type { ContainersContext } from './containers/context.ts';
import { createLatestContainers } from './containers/latest.ts';
import { createLetGoNotes } from './containers/let-go.ts';
import { createLimiter } from './containers/limiter.ts';
import { createContainerSync } from './containers/sync.ts';
import { createHostAvailability } from './host-availability.ts';
import { createHostWatch } from './host-watch.ts';
import { createMigrationInformers, createMigrationSync } from './migrations/sync.ts';
import { createNodeSync } from './node/node-sync.ts';
import { createContainerStorage } from './pools/container-storage.ts';
import { createPoolSync, type PoolSync } from './pools/pool-sync.ts';
import { createSharedPools } from './pools/shared-pool.ts';
import type { Book } from './state/book.ts';

/** The parts of an agent, wired to each other: they wake one another by keys, and share nothing else. */
export interface AgentParts {
  book: Book;
  /** Looks at the container `key` soon. */
  wake: (key: string) => void;
  runnables: readonly Runnable[];
  cutOffForMs: () => number;
}

/** What a daemon is asked at once, besides creates and starts. */
const PARALLEL_LOOKS = 16;

export function createParts(options: AgentOptions, deps: AgentDeps): AgentParts {
  const { nodeName, resyncMs } = options;
  const core = createCore(options, deps);
  const { informers, book, failures, nodeTrigger, containerTrigger, wakeNode, wake, wakeAll } = core;
  const failover = createFailoverParts(options, deps, core);
  const { link, witnesses, lease, policy } = failover;
  const wakePoolsAndNode = (): void => {
    pools.enqueueAll();
    wakeNode();
  };
  const cluster = createCluster(options, deps, book, () => {
    wakePoolsAndNode();
    wakeAll([]);
    hostWatch.list();
  });
  const pools = createPoolSync({
    ...deps,
    ...informers,
    cluster,
    nodeName,
    shared: createSharedPools({ ...deps, nodeName }),
    resyncMs,
    onChange: () => {
      wakeNode();
      for (const key of failures.keys()) wake(key);
    },
  });
  const availability = createHostAvailability({
    ...deps,
    onAvailability: () => {
      wakeNode();
      wakeAll([]);
    },
  });
  const hostWatch = createHostWatch({
    ...deps,
    resyncMs,
    onResync: wakePoolsAndNode,
    onEvent: wake,
    onInstances: wakeAll,
  });
  const node = createNodeSync({
    ...deps,
    ...options,
    nodes: informers.nodes,
    trigger: nodeTrigger,
    isLeaseHeld: () => lease.isHeld(),
    isGuardArmed: () => link.verdict(),
    leaseTiming: () => policy.report(lease.timing()),
    ...core.reports,
    clusterVerdict: () => cluster.verdict(),
    poolResults: () => completeResults(informers.pools, pools),
    onHost: (fault) => availability.note(fault),
  });
  const hostState = (): string => `${hostWatch.connections()}/${readyPools(pools)}`;
  const onHost = (fault?: unknown): void => availability.note(fault);
  const base = createContext(options, deps, { core, cluster, pools, failover, hostState });
  const { context, migrations } = createMoving(base, { wakeContainer: wake, onHost });
  const containers = createContainerSync(context, {
    informer: informers.containers,
    trigger: containerTrigger,
    resyncMs,
    hostAwaySinceMs: () => availability.awaySinceMs(),
    onHost,
    hostWatch,
  });
  const followers = [
    availability.probe,
    ...hostWatch.runnables,
    pools.controller,
    node,
    ...containers,
    ...migrations.controllers,
    failover.whenFirstSynced(() => hostWatch.list()),
    failover.policySync,
    core.renewal,
  ];
  const first = [...Object.values(informers), ...migrations.informers, link, witnesses, lease, cluster];
  return { book, wake, runnables: [...first, ...followers], cutOffForMs: () => lease.cutOffForMs() };
}

/** What is left alone here, and the migrations that wait for that. */
function createMoving(
  base: Omit<ContainersContext, 'letGo' | 'moving'>,
  more: { wakeContainer: (key: string) => void; onHost: (fault?: unknown) => void },
) {
  const letGo = createLetGoNotes((key) => migrations.wake(key));
  const moving = { active: () => migrations.active(), keeps: (key: string) => migrations.keeps(key) };
  const context: ContainersContext = { ...base, letGo, moving };
  const migrations = createMigrationSync({ ...context, ...more }, createMigrationInformers(context));
  return { context, migrations };
}

/** What all that is done to containers goes by. */
function createContext(
  options: AgentOptions,
  deps: AgentDeps,
  {
    core: { informers, book, failures, wakeNode },
    cluster,
    pools,
    failover: { guarded, lease },
    hostState,
  }: {
    core: Core;
    cluster: ClusterGuard;
    pools: PoolSync;
    failover: FailoverParts;
    hostState: () => string;
  },
): Omit<ContainersContext, 'letGo' | 'moving'> {
  return {
    ...deps,
    ...options,
    book,
    cluster,
    failures,
    latest: createLatestContainers(informers.containers.cache, deps.store),
    limits: createLimits(options),
    hostState,
    onImage: createImageWatch(wakeNode),
    storage: createStorage(deps, informers, pools),
    guarded,
    isLeaseExpired: () => lease.isExpired(),
  };
}

function createStorage(deps: AgentDeps, informers: Informers, pools: PoolSync) {
  const entryOf = (name: string): NodePool | undefined => pools.results().get(name);
  return createContainerStorage({ ...deps, pools: informers.pools.cache, entryOf });
}

function createLimits({ parallelCreates }: AgentOptions): ContainersContext['limits'] {
  return {
    looks: createLimiter(PARALLEL_LOOKS),
    creates: createLimiter(parallelCreates),
    starts: createLimiter(parallelCreates),
  };
}

function createCluster(
  options: AgentOptions,
  deps: AgentDeps,
  book: Book,
  onChange: () => void,
): ClusterGuard {
  const about = { apiVersion: API_VERSION, kind: nodeKind.kind, name: options.nodeName };
  return createClusterGuard({
    ...deps,
    ...options,
    book,
    onChange(verdict) {
      if (!verdict.isTrusted) deps.events.record(about, 'Warning', verdict.reason, verdict.message);
      onChange();
    },
  });
}

/** Undefined while a StoragePool has not been looked at: what the status said of it before then still stands. */
function completeResults(
  informer: Informer<StoragePool>,
  pools: PoolSync,
): ReadonlyMap<string, NodePool | undefined> | undefined {
  const results = pools.results();
  const isComplete =
    informer.hasSynced() && informer.cache.list().every(({ metadata }) => results.has(metadata.name));
  return isComplete ? results : undefined;
}

function readyPools(pools: PoolSync): string {
  const entries = [...pools.results()].filter(([, pool]) => pool?.ready === true);
  return entries.map(([name]) => name).join(',');
}

/** The first use of an image is news: the Node lists it, so that its containers are placed where it is already. */
function createImageWatch(wakeNode: () => void): (reference: string) => boolean {
  const known = new Set<string>();
  return (reference) => {
    if (known.has(reference)) return false;
    known.add(reference);
    wakeNode();
    return true;
  };
}
