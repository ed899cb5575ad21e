import { type Agent, type AgentDeps, type AgentOptions, createAgent } from '../../../src/agent/agent.ts';
import type { KnownPeers } from '../../../src/agent/node/witnesses.ts';
import type { DesiredState, DesiredStateFile } from '../../../src/agent/state/desired-state-file.ts';
import {
  CLUSTER_POLICY_NAME,
  type ClusterPolicy,
  type ClusterPolicySpec,
} from '../../../src/crds/cluster-policy.ts';
import {
  type Container,
  containerKind,
  type ContainerSpec,
  type ContainerStatus,
} from '../../../src/crds/container.ts';
import { API_VERSION, HOST_FINALIZER, NODE_LEASE_NAMESPACE } from '../../../src/crds/kind.ts';
import { type Lease, leaseRef, REJOIN_ANNOTATION } from '../../../src/crds/lease.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import type { KubeObject, ObjectMeta, ObjectReference } from '../../../src/crds/object.ts';
import { DEFAULT_ALLOWED_CONFIG } from '../../../src/plan/lifecycle/config-filter.ts';
import { HostlerError } from '../../../src/ports/errors.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { container } from '../../support/cluster-objects.ts';
import { createFakeClock, settle } from '../../support/fake-clock.ts';
import { createFakeGuard } from '../../support/fake-guard.ts';
import { createFakeFolders } from '../../support/fake-folders.ts';
import { createFakeHost } from '../../support/fake-host.ts';
import { createFakeObjectStore } from '../../support/fake-object-store.ts';
import { expectNothingLeft } from '../../support/nothing-left.ts';

export const NODE = 'host-1';
export const IMAGE = 'images:debian/12';
export const FINGERPRINT = 'a'.repeat(64);

/** A disk in memory that can be full. */
export function createMemoryFile(): DesiredStateFile & {
  content?: DesiredState;
  isFull: boolean;
  writes: number;
} {
  const file: ReturnType<typeof createMemoryFile> = {
    isFull: false,
    writes: 0,
    read: async () => structuredClone(file.content),
    async write(state) {
      if (file.isFull) throw new HostlerError('Unavailable', 'Cannot save the desired state: no space left');
      file.writes += 1;
      file.content = structuredClone(state);
    },
    setAside: async () => 'aside',
  };
  return file;
}

/** One host with its agent, on a clock that stands still, between an API and a daemon in memory. */
export function createAgentWorld(
  more: Partial<AgentOptions> = {},
  {
    clock = createFakeClock(),
    host = createFakeHost(clock),
    file = createMemoryFile(),
    clusterUid = 'cluster-1',
  } = {},
) {
  const store = createFakeObjectStore(clock);
  const folders = createFakeFolders((path) => host.sharedRoots.has(path));
  host.images.set(IMAGE, FINGERPRINT);
  store.seed(clusterOf(clusterUid));
  const events: { about: ObjectReference; type: string; reason: string; message: string }[] = [];
  const options: AgentOptions = {
    nodeName: NODE,
    labels: { disk: 'ssd' },
    agentVersion: '0.1.0',
    defaultNetwork: 'incusbr0',
    allowedConfig: DEFAULT_ALLOWED_CONFIG,
    parallelCreates: 4,
    statusMs: 20_000,
    resyncMs: 300_000,
    ...more,
  };
  const guard = createFakeGuard(clock);
  const leader = createFakeLeader(store);
  const known: { content?: KnownPeers } = {};
  let agent: Agent | undefined;
  let stop = new AbortController();
  let ended: Promise<void> = Promise.resolve();

  return {
    clock,
    store,
    host,
    folders,
    file,
    events,
    guard,
    leader,
    agent: () => agent as Agent,
    reasons: () => events.map(({ reason }) => reason),

    async start() {
      stop = new AbortController();
      agent = createAgent(options, {
        store,
        leaseStore: leader.leaseStore,
        guard: guard.open(),
        knownPeers: {
          read: async () => known.content,
          write: async (content) => void (known.content = content),
        },
        host,
        clock,
        logger: silentLogger,
        metrics: noMetrics,
        events: {
          record: (about, type, reason, message) => void events.push({ about, type, reason, message }),
        },
        folders,
        desiredState: file,
      });
      ended = agent.run(stop.signal);
      await clock.advance(600);
    },
    /** Also checks that nothing goes on. Idempotent. */
    async stop() {
      stop.abort();
      await settle();
      await clock.advance(1);
      await ended;
      expectNothingLeft({ clock, store });
    },

    /** A container as the leader places it. */
    place(
      name: string,
      spec: Partial<ContainerSpec> = {},
      {
        nodeName = NODE,
        epoch = 1,
        lostFrom,
        ...metadata
      }: Partial<ObjectMeta> & Pick<ContainerStatus, 'nodeName' | 'epoch' | 'lostFrom'> = {},
    ) {
      const object = container(name, { spec, metadata: { finalizers: [HOST_FINALIZER], ...metadata } });
      const lost = lostFrom === undefined ? {} : { lostFrom };
      const status: ContainerStatus = { nodeName, epoch, term: 1, phase: 'Scheduled', ...lost };
      store.seed({ ...object, status } as Container);
    },
    async change(name: string, change: (old: Container) => Partial<Container>) {
      const old = find(store, name) as Container;
      const next = { ...old, ...change(old) };
      const signal = new AbortController().signal;
      if (next.status === old.status) await store.update(containerKind, next, signal);
      else await store.updateStatus(containerKind, next, signal);
      await clock.advance(50);
    },
    container: (name: string) => find(store, name),
    policy: (spec: ClusterPolicySpec) =>
      store.seed({
        apiVersion: API_VERSION,
        kind: 'ClusterPolicy',
        metadata: { name: CLUSTER_POLICY_NAME },
        spec,
      } as ClusterPolicy),
    node: () => store.all<Node>(nodeKind).find(({ metadata }) => metadata.name === NODE),
    condition: (type: string) =>
      store
        .all<Node>(nodeKind)
        .find(({ metadata }) => metadata.name === NODE)
        ?.status?.conditions?.find((condition) => condition.type === type),
    lease: () =>
      store
        .all<Lease>(leaseRef)
        .find(({ metadata }) => metadata.namespace === NODE_LEASE_NAMESPACE && metadata.name === NODE),
    ready: (name: string) => find(store, name)?.status?.conditions?.find(({ type }) => type === 'Ready'),
    /** Writes besides those of the lease. */
    writes: () => store.writes().filter(({ resource }) => resource !== 'leases'),
    calls: (method: string) => host.calls.filter((call) => call.startsWith(`${method} `)),
  };
}

/** Lets nodes in that ask for it, at once, as long as `grants` is set. */
function createFakeLeader(store: ReturnType<typeof createFakeObjectStore>) {
  const answer = async <T extends KubeObject>(written: T): Promise<T> => {
    const lease = written as Lease;
    const { [REJOIN_ANNOTATION]: asked, ...annotations } = lease.metadata.annotations ?? {};
    if (asked === undefined || !leader.grants) return written;
    const spec = {
      ...lease.spec,
      holderIdentity: lease.metadata.name,
      leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1,
    };
    const granted = { ...lease, metadata: { ...lease.metadata, annotations }, spec };
    await store.update<Lease>(leaseRef, granted, new AbortController().signal);
    return written;
  };
  const leaseStore: AgentDeps['leaseStore'] = {
    get: (ref, key, signal) => store.get(ref, key, signal),
    create: async (ref, object, signal) => await answer(await store.create(ref, object, signal)),
    update: async (ref, object, signal) => await answer(await store.update(ref, object, signal)),
  };
  const leader = { grants: true, leaseStore };
  return leader;
}

/** The Namespace by which a cluster is known. */
export function clusterOf(uid: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NODE_LEASE_NAMESPACE, uid } };
}

export type AgentWorld = ReturnType<typeof createAgentWorld>;

function find(store: ReturnType<typeof createFakeObjectStore>, name: string): Container | undefined {
  return store.all<Container>(containerKind).find(({ metadata }) => metadata.name === name);
}
