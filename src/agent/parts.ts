import { type ClusterPolicy, clusterPolicyKind } from '../crds/cluster-policy.ts';
import { type Container, containerKind } from '../crds/container.ts';
import { API_VERSION, NODE_LEASE_NAMESPACE } from '../crds/kind.ts';
import { type ConfigMap, configMapRef, MEMBERS_CONFIG_MAP } from '../crds/lease.ts';
import { type Node, nodeKind, type NodePool } from '../crds/node.ts';
import { type StoragePool, storagePoolKind } from '../crds/storage-pool.ts';
import { type Clock, sleep } from '../ports/clock.ts';
import { createInformer, type Informer } from '../reconcile/informer.ts';
import type { Runnable } from '../reconcile/runnable.ts';
import { createTrigger } from '../reconcile/source.ts';
import type { AgentDeps, AgentOptions } from './agent.ts';
import { createCertificateRenewal } from './certificate/renewal.ts';
import { type ClusterGuard, createClusterGuard } from './cluster-guard.ts';
import type { ContainersContext } from './containers/context.ts';
import { createFailures } from './containers/failures.ts';
import { createLatestContainers } from './containers/latest.ts';
import { createLetGoNotes } from './containers/let-go.ts';
import { createLimiter } from './containers/limiter.ts';
import { createContainerSync, knownKeys } from './containers/sync.ts';
import { createGuardLink } from './guard/guard-link.ts';
import { createGuardedContainers } from './guard/guarded.ts';
import { handOver } from './guard/hand-over.ts';
import { createHostAvailability } from './host-availability.ts';
import { createHostWatch } from './host-watch.ts';
import { createMigrationInformers, createMigrationSync } from './migrations/sync.ts';
import { createFencedWordCheck } from './node/fenced-word.ts';
import { createNodeLease } from './node/lease.ts';
import { createNodeLeasePolicy } from './node/lease-policy.ts';
import { createNodeSync } from './node/node-sync.ts';
import { createWitnesses } from './node/witnesses.ts';
import { createContainerStorage } from './pools/container-storage.ts';
import { createPoolSync, type PoolSync } from './pools/pool-sync.ts';
import { createSharedPools } from './pools/shared-pool.ts';
import { type Book, createBook } from './state/book.ts';
import { createSavingReport } from './state/saving-report.ts';

/** The parts of an agent, wired to each other: they wake one another by keys, and share nothing else. */
export interface AgentParts {
  book: Book;
  /** Looks at the container `key` soon. */
  wake: (key: string) => void;
  runnables: readonly Runnable[];
  cutOffForMs: () => number;
}

interface Informers {
  containers: Informer<Container>;
  nodes: Informer<Node>;
  pools: Informer<StoragePool>;
  members: Informer<ConfigMap>;
  policies: Informer<ClusterPolicy>;
}

/** What a daemon is asked at once, besides creates and starts. */
const PARALLEL_LOOKS = 16;
const SYNC_POLL_MS = 100;

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
  base: Omit<ContainersContext, 'letGo' | 'moves'>,
  more: { wakeContainer: (key: string) => void; onHost: (fault?: unknown) => void },
) {
  const letGo = createLetGoNotes((key) => migrations.wake(key));
  const context: ContainersContext = { ...base, letGo, moves: () => migrations.active() };
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
    core: ReturnType<typeof createCore>;
    cluster: ClusterGuard;
    pools: PoolSync;
    failover: ReturnType<typeof createFailoverParts>;
    hostState: () => string;
  },
): Omit<ContainersContext, 'letGo' | 'moves'> {
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

/** What the parts have in common: what is known, and how they wake each other. */
function createCore(options: AgentOptions, deps: AgentDeps) {
  const { nodeName } = options;
  const informers = createInformers(options, deps);
  const nodeTrigger = createTrigger();
  const wakeNode = (): void => nodeTrigger.enqueue(nodeName);
  const saving = createSavingReport({ ...deps, nodeName, onChange: wakeNode });
  const book = createBook({ ...deps, nodeName, file: deps.desiredState, onSaving: saving.note });
  const renewal = createCertificateRenewal({
    ...deps,
    nodeName,
    certificate: deps.certificate,
    onChange: wakeNode,
  });
  const containerTrigger = createTrigger();
  const wake = (key: string): void => containerTrigger.enqueue(key);
  return {
    informers,
    book,
    renewal,
    reports: { saving: () => saving.verdict(), certificate: () => renewal.verdict() },
    failures: createFailures(deps.clock),
    nodeTrigger,
    containerTrigger,
    wakeNode,
    wake,
    wakeAll: (instances: readonly { name: string }[]) => {
      for (const key of knownKeys(book, informers.containers, instances)) wake(key);
    },
  };
}

/** What keeps the containers that may be recovered elsewhere to the node's lease. */
function createFailoverParts(
  options: AgentOptions,
  deps: AgentDeps,
  { informers, wake, wakeNode }: ReturnType<typeof createCore>,
) {
  const { nodeName } = options;
  const wakeGuarded = (): void => {
    wakeNode();
    for (const key of guarded.keys()) wake(key);
  };
  const link = createGuardLink({ ...deps, guard: deps.guard, onChange: wakeGuarded });
  const guarded = createGuardedContainers({ ...informers, link });
  informers.containers.onChange(() => guarded.review());
  informers.pools.onChange(() => guarded.review());
  const witnesses = createWitnesses({
    ...deps,
    ...options,
    members: informers.members,
    peers: deps.peers,
    file: deps.knownPeers,
  });
  const lease = createNodeLease({
    ...deps,
    ...options,
    store: deps.leaseStore,
    guard: link,
    witnesses,
    takeBackWord: createFencedWordCheck({ ...deps, nodeName }),
    onHeld: wakeGuarded,
    onTiming: wakeNode,
    onGuard: (report) => guarded.remember(report.containers),
    onStop: (renewUnarmed) => handOver({ ...deps, nodeName, link, guarded }, renewUnarmed),
  });
  const policy = createNodeLeasePolicy({
    ...deps,
    ...informers,
    nodeName,
    onWanted: (timing) => lease.want(timing),
  });
  informers.policies.onChange(() => policy.review());
  informers.nodes.onChange(() => policy.review());
  const policySync = whenSynced('policy-sync', [informers.policies, informers.nodes], {
    clock: deps.clock,
    run: () => policy.review(),
  });
  const whenFirstSynced = (run: () => void): Runnable =>
    whenSynced('first-sync', [informers.containers, informers.pools], {
      clock: deps.clock,
      run() {
        guarded.review();
        wakeGuarded();
        run();
      },
    });
  return { link, guarded, witnesses, lease, policy, policySync, whenFirstSynced };
}

function createStorage(deps: AgentDeps, informers: Informers, pools: PoolSync) {
  const entryOf = (name: string): NodePool | undefined => pools.results().get(name);
  return createContainerStorage({ ...deps, pools: informers.pools.cache, entryOf });
}

function createInformers({ nodeName }: AgentOptions, deps: AgentDeps): Informers {
  const fieldSelector = `status.nodeName=${nodeName}`;
  return {
    containers: createInformer<Container>({ ...deps, ref: containerKind, fieldSelector }),
    nodes: createInformer<Node>({ ...deps, ref: nodeKind, fieldSelector: `metadata.name=${nodeName}` }),
    pools: createInformer<StoragePool>({ ...deps, ref: storagePoolKind }),
    policies: createInformer<ClusterPolicy>({ ...deps, ref: clusterPolicyKind }),
    members: createInformer<ConfigMap>({
      ...deps,
      ref: configMapRef,
      namespace: NODE_LEASE_NAMESPACE,
      fieldSelector: `metadata.name=${MEMBERS_CONFIG_MAP}`,
    }),
  };
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

/** From the first full list on, what the API does not have is known to be gone: everything is looked at once more. */
function whenSynced(
  name: string,
  informers: readonly { hasSynced(): boolean }[],
  { clock, run }: { clock: Clock; run: () => void },
): Runnable {
  const hasSynced = (): boolean => informers.every((informer) => informer.hasSynced());
  return {
    name,
    ready: hasSynced,
    async start(signal) {
      while (!hasSynced()) {
        if (!(await sleep(clock, SYNC_POLL_MS, signal))) return;
      }
      run();
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    },
  };
}
