import { NODE_LEASE_NAMESPACE } from '../crds/kind.ts';
import { type ConfigMap, type Lease, leaseRef, MEMBERS_CONFIG_MAP } from '../crds/lease.ts';
import type { Node } from '../crds/node.ts';
import { type LeaseRecord, leaseRecord } from '../plan/failover/lease-record.ts';
import { type MemberList, parseMembers } from '../plan/failover/membership.ts';
import {
  operatorOf,
  type Standing,
  type StandingFacts,
  standingOf,
  unheardAtMs,
} from '../plan/failover/standing.ts';
import { LeaderView } from '../plan/failover/takeover.ts';
import { defaultTiming } from '../plan/failover/timing.ts';
import { type Clock, sleep } from '../ports/clock.ts';
import { withDeadline } from '../ports/deadline.ts';
import { messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { Change } from '../reconcile/informer.ts';
import type { Runnable } from '../reconcile/runnable.ts';
import type { Source } from '../reconcile/source.ts';
import { createDeletedLeases } from './deleted-leases.ts';
import type { Informers } from './informers.ts';

/**
 * What the replica that leads knows of the nodes' leases, in one place for all controllers: plan/failover/takeover.ts fed with
 * what the watch shows, stamped with this machine's monotonic clock when it arrives, and with the revisions of the store
 * that it asks for a few times a second. It begins to look when it is started, and knows nothing from before.
 */
export interface LeaseView extends Runnable {
  /** Everything that `standingOf` wants, for a node as the caller knows it. */
  factsOf(name: string, node: Node | undefined): StandingFacts;
  standing(name: string, node: Node | undefined): Standing;
  lease(name: string): LeaseRecord | undefined;
  /** Takes note of a lease that was read or written; undefined: there was none, which only the watch can prove. */
  look(name: string, lease: Lease | undefined): void;
  /** The last version of a lease that was deleted, if no version before that went unseen. */
  lastOf(name: string): Lease | undefined;
  members(): MemberList | undefined;
  /** Whether the node holds its lease, and has renewed it just now: only there is anything placed. */
  isFresh(name: string): boolean;
  /** Milliseconds until the mere passing of time may change what is said of the node. */
  nextTurnMs(name: string, node: Node | undefined): number;
  /** The names of nodes whose lease came, went, changed hands, or is renewed again after a silence. */
  readonly turns: Source;
}

export interface LeaseViewDeps {
  store: Pick<ObjectStore, 'list'>;
  informers: Pick<Informers, 'leases' | 'members'>;
  clock: Clock;
  logger: Logger;
}

/** Of the shortest time between renewals: the age of a renewal is known no better than that. */
const PROBES_PER_RENEWAL = 4;
const LEAST_PROBE_MS = 50;
const PROBE_TIMEOUT_MS = 1_000;
/** While a majority is missing, or a proof. */
const LOOK_AGAIN_MS = 500;

export function createLeaseView(deps: LeaseViewDeps): LeaseView {
  const { informers, clock } = deps;
  let view = new LeaderView(clock.monotonicMs(), [], defaultTiming);
  let sinceMs = clock.monotonicMs();
  let members: MemberList | undefined;
  const leases = new Map<string, LeaseRecord>();
  const deleted = createDeletedLeases();
  const subscribers = new Set<(name: string) => void>();
  const turn = (name: string): void => {
    for (const enqueue of subscribers) enqueue(name);
  };

  const look = (name: string, lease: Lease | undefined): void => {
    if (lease === undefined) return;
    const before = leases.get(name);
    const record = leaseRecord(lease);
    if (before !== undefined && !(record.revision > before.revision)) return;
    if (!deleted.isNew(name, record.revision)) return;
    const nowMs = clock.monotonicMs();
    const wasLive = view.verdict(name, nowMs).state === 'Live';
    leases.set(name, record);
    deleted.forget(name);
    view.onLease(name, record, nowMs);
    if (!wasLive || before === undefined || hasChangedHands(before, record)) turn(name);
  };
  const onLease = ({ key, old, new: lease, isMissed }: Change<Lease>): void => {
    const name = nameOf(key);
    if (lease !== undefined) return look(name, lease);
    deleted.note(name, old, isMissed === true || leases.get(name)?.resourceVersion !== versionOf(old));
    view.onDeleted(name, clock.monotonicMs());
    leases.delete(name);
    turn(name);
  };
  const onMembers = ({ key, new: map }: Change<ConfigMap>): void => {
    if (key !== `${NODE_LEASE_NAMESPACE}/${MEMBERS_CONFIG_MAP}`) return;
    const next = parseMembers(map?.data);
    if (next?.version === members?.version) return;
    members = next;
    view.setMembers(next?.members ?? [], clock.monotonicMs());
  };
  const isFresh = (name: string): boolean =>
    leases.get(name)?.holder === name && view.verdict(name, clock.monotonicMs()).state === 'Live';

  const factsOf = (name: string, node: Node | undefined): StandingFacts => {
    const nowMs = clock.monotonicMs();
    const lease = leases.get(name);
    const last = lease === undefined ? deleted.record(name) : undefined;
    const sight = lease === undefined && last === undefined ? undefined : view.sight(name);
    return { node, lease, deleted: last, verdict: view.verdict(name, nowMs), sight, members, nowMs, sinceMs };
  };

  return {
    name: 'lease view',
    factsOf,
    standing: (name, node) => standingOf(factsOf(name, node)),
    lease: (name) => leases.get(name),
    look,
    lastOf: (name) => deleted.lease(name),
    members: () => members,
    isFresh,
    nextTurnMs: (name, node) => nextTurnMs(factsOf(name, node)),
    turns: {
      subscribe(enqueue) {
        subscribers.add(enqueue);
        for (const name of leases.keys()) enqueue(name);
        return () => void subscribers.delete(enqueue);
      },
    },
    async start(signal) {
      sinceMs = clock.monotonicMs();
      view = new LeaderView(sinceMs, [], defaultTiming);
      const stops = [informers.members.onChange(onMembers), informers.leases.onChange(onLease)];
      while (!signal.aborted) {
        // A single node has nobody to fence, and nothing to ask for.
        if (leases.size > 1) await probe(deps, view, signal);
        await sleep(clock, probeMs(leases), signal);
      }
      for (const stop of stops) stop();
    },
  };
}

function probeMs(leases: ReadonlyMap<string, LeaseRecord>): number {
  let renewMs = defaultTiming.renewMs;
  for (const { timing } of leases.values()) renewMs = Math.min(renewMs, timing.renewMs);
  return Math.max(LEAST_PROBE_MS, renewMs / PROBES_PER_RENEWAL);
}

/** Nothing is known when it fails: then the renewals count as old, which brakes. */
async function probe(
  { store, clock, logger }: LeaseViewDeps,
  view: LeaderView,
  signal: AbortSignal,
): Promise<void> {
  const limits = { clock, timeoutMs: PROBE_TIMEOUT_MS, what: "Reading the store's revision" };
  const sentMs = clock.monotonicMs();
  try {
    const options = { namespace: NODE_LEASE_NAMESPACE, limit: 1 };
    const page = await withDeadline(limits, signal, (inner) => store.list(leaseRef, options, inner));
    const revision = Number(page.resourceVersion);
    if (Number.isSafeInteger(revision)) view.onProbe(sentMs, revision);
  } catch (error) {
    if (!signal.aborted) logger.debug({ error: messageOf(error) }, "the store's revision cannot be read");
  }
}

function hasChangedHands(before: LeaseRecord, now: LeaseRecord): boolean {
  return (
    before.holder !== now.holder ||
    before.term !== now.term ||
    before.rejoinAsked !== now.rejoinAsked ||
    before.uses !== now.uses
  );
}

function nextTurnMs(facts: StandingFacts): number {
  const { sight, nowMs, sinceMs } = facts;
  const turns = [unheardAtMs(facts)];
  if (sight !== undefined) {
    const { suspectAfterMs, durationMs, fenceDelayMs } = sight.timing;
    turns.push(Math.max(sight.sawMs, sinceMs) + durationMs + fenceDelayMs);
    // From then on an operator's word counts.
    if (operatorOf(facts.node) !== undefined) turns.push(sight.sawMs + suspectAfterMs);
  }
  const ahead = turns.filter((atMs) => atMs > nowMs);
  return ahead.length === 0 ? LOOK_AGAIN_MS : Math.min(...ahead) - nowMs;
}

function versionOf(lease: Lease | undefined): string | undefined {
  return lease?.metadata.resourceVersion;
}

function nameOf(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}
