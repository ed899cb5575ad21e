import type { Lease } from '../../../src/crds/lease.ts';
import { leaseRecord } from '../../../src/plan/failover/lease-record.ts';
import type { Gap, RunRecord, Seen } from '../record.ts';
import type { Finding } from './finding.ts';
import { livesOf } from './heartbeats.ts';

type ContainerEvent = Extract<Seen, { kind: 'Container' }>;
type LeaseEvent = Extract<Seen, { kind: 'Lease' }>;

/** Where a container was placed, and from when on a watch showed it. */
interface Placement {
  node: string;
  epoch: number;
  revision: number;
  shownMs: number;
  /** What was between this one and the one before is not known. */
  isListed: boolean;
}

/**
 * Nothing is placed, nor started, elsewhere without a proof that the host before has stopped it. The store is one, so that the
 * revisions of leases and of containers have one order.
 */
export function findUnprovenStarts({ watches, beats }: Pick<RunRecord, 'watches' | 'beats'>): Finding[] {
  const events = watches[0]?.events ?? [];
  const leases = leaseHistory(events);
  const containers = events.filter((event): event is ContainerEvent => event.kind === 'Container');
  const byUid = Map.groupBy(containers, ({ object }) => object.metadata.uid ?? '');
  const gaps = (watches[0]?.gaps ?? []).filter(({ kind }) => kind === 'Lease');
  const placed = [...byUid.values()].flatMap((own) => unprovenMoves(own, leases, gaps));
  const started = [...beats].flatMap(([name, lines]) =>
    startsElsewhere(
      name,
      livesOf(lines),
      containers.filter(({ object }) => object.metadata.name === name),
    ),
  );
  return [...hastyRevocations(leases), ...placed, ...started];
}

function leaseHistory(events: readonly Seen[]): Map<string, LeaseEvent[]> {
  return Map.groupBy(
    events.filter((event): event is LeaseEvent => event.kind === 'Lease'),
    ({ object }) => object.metadata.name,
  );
}

function placementsOf(events: readonly ContainerEvent[]): Placement[] {
  const placements: Placement[] = [];
  for (const { object, revision, atMs, isListed = false } of events) {
    const { nodeName: node, epoch = 0 } = object.status ?? {};
    if (node === undefined || (placements.at(-1)?.node === node && placements.at(-1)?.epoch === epoch))
      continue;
    placements.push({ node, epoch, revision, shownMs: atMs, isListed });
  }
  return placements;
}

function unprovenMoves(
  events: readonly ContainerEvent[],
  leases: ReadonlyMap<string, LeaseEvent[]>,
  gaps: readonly Gap[],
): Finding[] {
  const name = events[0]?.object.metadata.name ?? '';
  const policy = events[0]?.object.spec.failover?.policy;
  const placements = placementsOf(events);
  return placements.flatMap((now, index) => {
    const before = placements[index - 1];
    if (before === undefined) return [];
    const move = `${name} went from ${before.node} (epoch ${before.epoch}) to ${now.node} (epoch ${now.epoch})`;
    const finding = (text: string): Finding[] => [{ rule: 'no start without proof', text: `${move}${text}` }];
    if (now.epoch <= before.epoch) return finding(': the epoch did not grow');
    if (now.node === before.node) return [];
    if (policy === 'Stay') return finding(', and is to stay');
    const isHidden = gaps.some(({ from, to }) => from < now.revision && to > before.revision);
    if (now.isListed || isHidden) return [];
    const lease = leases.get(before.node)?.findLast(({ revision }) => revision < now.revision)?.object;
    if (lease?.spec?.holderIdentity === '') return [];
    return finding(` while ${before.node} held its lease`);
  });
}

/**
 * A revocation by time comes no earlier than duration + fenceDelay after the renewal before it. The renewal carries the time at
 * which it was made, on the wall clock of the machine that all hosts share, and the revocation was made before a watch showed it.
 */
function hastyRevocations(leases: ReadonlyMap<string, LeaseEvent[]>): Finding[] {
  return [...leases].flatMap(([node, events]) =>
    events.flatMap((event, index) => {
      const before = events[index - 1];
      if (before === undefined || event.isListed === true || !isTakenByTime(before.object, event.object))
        return [];
      const { timing, renewal, isGuarded } = leaseRecord(before.object);
      const silentMs = event.wallMs - Date.parse(String(renewal));
      const leastMs = timing.durationMs + timing.fenceDelayMs;
      const finding = (text: string): Finding[] => [
        { rule: 'no start without proof', text: `the lease of ${node} was revoked ${text}` },
      ];
      if (!isGuarded) return finding('although no guard was armed');
      if (silentMs >= leastMs) return [];
      return finding(`${Math.round(silentMs)} ms after a renewal; it takes ${leastMs} ms`);
    }),
  );
}

function isTakenByTime(before: Lease, after: Lease): boolean {
  const { holder, revokedBy } = leaseRecord(after);
  return (
    leaseRecord(before).holder !== '' &&
    holder === '' &&
    (revokedBy === undefined || revokedBy.startsWith('Lease'))
  );
}

/** A start on a host where, as a watch had already shown, the container was not placed any more. */
function startsElsewhere(
  name: string,
  lives: readonly { host: string; boot: string; firstMs: number }[],
  events: readonly ContainerEvent[],
): Finding[] {
  const placements = placementsOf(events);
  return lives.flatMap(({ host, firstMs }) => {
    const now = placements.findLast(({ shownMs }) => shownMs < firstMs);
    if (host === '?' || now === undefined || now.node === host) return [];
    // It may be on its way to the watch.
    const next = placements[placements.indexOf(now) + 1];
    if (next?.node === host && next.shownMs - firstMs < WATCH_LAG_MS) return [];
    const text = `${name} was started on ${host} at ${firstMs} ms, ${Math.round(firstMs - now.shownMs)} ms after it was placed on ${now.node}`;
    return [{ rule: 'no start without proof', text }];
  });
}

/** What a watch of ours may be late by, on a machine that is busy; while the API is away it is later. */
const WATCH_LAG_MS = 20_000;
