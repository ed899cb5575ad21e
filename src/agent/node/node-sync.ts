import { API_VERSION, HOST_LABEL } from '../../crds/kind.ts';
import { type Node, nodeKind, type NodePool, type NodeStatus } from '../../crds/node.ts';
import type { ClusterVerdict } from '../../plan/lifecycle/cluster.ts';
import type { Clock } from '../../ports/clock.ts';
import { hasCode, messageOf } from '../../ports/errors.ts';
import type { HostDriver } from '../../ports/host-driver.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import type { Change, Informer } from '../../reconcile/informer.ts';
import { isSameJson } from '../../reconcile/same-json.ts';
import { informerSource, periodicSource, type Source } from '../../reconcile/source.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { CertificateVerdict } from '../certificate/renewal.ts';
import type { SavingVerdict } from '../state/saving-report.ts';
import { type HostReport, nodeStatus } from './node-report.ts';

/**
 * The agent's own Node: made when there is none, kept labelled, and its status brought up to date when something about
 * the host has changed. That the node is alive is the lease's business: a host on which nothing changes writes nothing
 * here.
 */
export interface NodeSyncDeps {
  nodeName: string;
  /** Set when the Node is made; afterwards they are people's to change. */
  labels: Readonly<Record<string, string>>;
  agentVersion: string;
  statusMs: number;
  /** Something about the host may have changed. */
  trigger: Source;
  nodes: Informer<Node>;
  store: ObjectStore;
  host: HostDriver;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  isLeaseHeld(): boolean;
  /** Undefined: not known yet. */
  isGuardArmed(): boolean | undefined;
  /** Undefined: not known yet. */
  saving(): SavingVerdict | undefined;
  /** Undefined: not known yet. */
  certificate(): CertificateVerdict | undefined;
  /** Undefined: not known yet. */
  leaseTiming(): NodeStatus['lease'];
  /** Where the other agents reach this one. */
  agentPort?: number;
  /** Undefined until the API was heard. */
  clusterVerdict(): ClusterVerdict | undefined;
  /** Undefined while not all StoragePools were looked at. */
  poolResults(): ReadonlyMap<string, NodePool | undefined> | undefined;
  onHost(fault?: unknown): void;
}

/** The informer would report the new Node, if it were followed. */
const REGISTERED_MS = 100;

export function createNodeSync(deps: NodeSyncDeps): Controller {
  const { nodeName, nodes, store, clock, trigger } = deps;
  const hostLook = createHostLook(deps);

  const reconcile = async (_key: string, signal: AbortSignal) => {
    if (!nodes.hasSynced()) return {};
    const isDistrusted = deps.clusterVerdict()?.isTrusted === false;
    // The cache never goes back in time, so it does not show a store that did.
    const node = isDistrusted
      ? await store.get<Node>(nodeKind, { name: nodeName }, signal)
      : nodes.cache.get(nodeName);
    if (node === undefined) {
      await register(deps, signal);
      return isDistrusted ? { requeueAfterMs: REGISTERED_MS } : {};
    }
    const labelled = await ensureLabels(deps, node, signal);
    const report = { ...known(deps), ...(await hostLook.take(signal)) };
    const status = nodeStatus(labelled, report);
    await writeStatus({ store, ref: nodeKind }, labelled, status, signal);
    return {};
  };

  return createController({
    ...deps,
    name: 'node',
    reconcile,
    sources: [
      informerSource(nodes, (_, change) => (isMeant(change) ? [nodeName] : [])),
      hostLook.dueAt(periodicSource(clock, deps.statusMs, () => [nodeName])),
      hostLook.dueAt(trigger),
    ],
  });
}

/** How far a drain has come is the leader's to say, and changes nothing on the host. */
function isMeant({ old, new: now }: Change<Node>): boolean {
  return old === undefined || now === undefined || !isSameJson(withoutDrain(old), withoutDrain(now));
}

function withoutDrain({ metadata, spec, status }: Node): object {
  const { drain: _drain, conditions = [], ...rest } = status ?? {};
  const { labels, deletionTimestamp } = metadata;
  const others = conditions.filter(({ type }) => type !== 'Drained');
  return { labels, deletionTimestamp, spec, rest, others };
}

function ownLabels(nodeName: string): Record<string, string> {
  return { [HOST_LABEL]: nodeName, 'kubernetes.io/hostname': nodeName };
}

/** The informer reports the new Node, and the next pass goes on from there. */
async function register(
  { nodeName, labels, store, logger }: NodeSyncDeps,
  signal: AbortSignal,
): Promise<void> {
  const node: Node = {
    apiVersion: API_VERSION,
    kind: nodeKind.kind,
    metadata: { name: nodeName, labels: { ...labels, ...ownLabels(nodeName) } },
    spec: {},
  };
  try {
    await store.create(nodeKind, node, signal);
    logger.info({}, 'registered the node');
  } catch (error) {
    if (!hasCode(error, 'AlreadyExists')) throw error;
  }
}

async function ensureLabels(
  { nodeName, store }: NodeSyncDeps,
  node: Node,
  signal: AbortSignal,
): Promise<Node> {
  const labels = ownLabels(nodeName);
  const { metadata } = node;
  if (Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value)) return node;
  const body = { metadata: { labels } };
  return await store.mergePatch<Node>(nodeKind, { name: nodeName }, { body }, signal);
}

type HostPart = Pick<HostReport, 'host' | 'fault'>;

/**
 * What the daemon says of its host. It is asked when something about the host may have changed, and not when the Node alone has: what
 * it has to find out for the answer takes a tenth of a second of its processors' time, often at the beginning of a drain.
 */
function createHostLook(deps: NodeSyncDeps) {
  let last: HostPart = {};
  let isDue = true;
  return {
    async take(signal: AbortSignal): Promise<HostPart> {
      if (!isDue) return last;
      // What changes from now on may be missing in the answer.
      isDue = false;
      last = {};
      try {
        last = await lookAtHost(deps, signal);
      } finally {
        if (last.host === undefined) isDue = true;
      }
      return last;
    },
    /** What `source` reports is about the host. */
    dueAt: (source: Source): Source => ({
      subscribe: (enqueue) =>
        source.subscribe((key) => {
          isDue = true;
          enqueue(key);
        }),
    }),
  };
}

async function lookAtHost(deps: NodeSyncDeps, signal: AbortSignal): Promise<HostPart> {
  const { host } = deps;
  try {
    const [facts, pools, images, transfers] = await Promise.all([
      host.describeHost(signal),
      host.listPools(signal),
      host.listImages(signal),
      host.getTransferFacts(signal),
    ]);
    deps.onHost();
    return { host: { facts, pools, images, transfers } };
  } catch (error) {
    if (signal.aborted) throw error;
    deps.onHost(error);
    return { fault: messageOf(error) };
  }
}

/** What the agent knows by itself. */
function known(deps: NodeSyncDeps): Omit<HostReport, 'host' | 'fault'> {
  const pools = deps.poolResults();
  const isGuardArmed = deps.isGuardArmed();
  const lease = deps.leaseTiming();
  const saving = deps.saving();
  const certificate = deps.certificate();
  const verdict = deps.clusterVerdict();
  return {
    agentVersion: deps.agentVersion,
    isLeaseHeld: deps.isLeaseHeld() && verdict !== undefined,
    ...(isGuardArmed === undefined ? {} : { isGuardArmed }),
    ...(lease === undefined ? {} : { lease }),
    ...(saving === undefined ? {} : { saving }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(deps.agentPort === undefined ? {} : { agentPort: deps.agentPort }),
    now: new Date(deps.clock.nowMs()).toISOString(),
    ...(pools === undefined ? {} : { pools }),
    ...(verdict === undefined || verdict.isTrusted
      ? {}
      : { distrust: { reason: verdict.reason, message: verdict.message } }),
  };
}
