import type { Lease } from '../../../src/crds/lease.ts';
import { leaseRecord } from '../../../src/plan/failover/lease-record.ts';
import type { Beat, RunRecord, Seen } from '../record.ts';
import { type Finding, findingOf } from './finding.ts';
import { type Life, livesOf } from './heartbeats.ts';

type ContainerEvent = Extract<Seen, { kind: 'Container' }>;
export type LeaseEvent = Extract<Seen, { kind: 'Lease' }>;

/** Where a container was placed, and from when on the history showed it. */
interface Placement {
  node: string;
  epoch: number;
  /** Of the node's lease, as it was last said before the next placement. */
  term: number;
  revision: number;
  shownMs: number;
}

const finding = findingOf('no start without proof');

/**
 * Nothing is placed, nor started, elsewhere without a proof that the host before has stopped it. The store is one, so that the
 * revisions of leases and of containers have one order.
 */
export function findUnprovenMoves({ history, beats }: Pick<RunRecord, 'history' | 'beats'>): Finding[] {
  const leases = leaseHistory(history);
  const containers = history.filter((event): event is ContainerEvent => event.kind === 'Container');
  const byUid = Map.groupBy(containers, ({ object }) => object.metadata.uid ?? '');
  const byName = Map.groupBy(containers, ({ object }) => object.metadata.name);
  const placed = [...byUid.values()].flatMap((own) => unprovenMoves(own, leases));
  const started = [...beats].flatMap(([name, lines]) => startsElsewhere(name, lines, byName.get(name) ?? []));
  return [...placed, ...started];
}

export function leaseHistory(history: readonly Seen[]): Map<string, LeaseEvent[]> {
  return Map.groupBy(
    history.filter((event): event is LeaseEvent => event.kind === 'Lease'),
    ({ object }) => object.metadata.name,
  );
}

function placementsOf(events: readonly ContainerEvent[]): Placement[] {
  const placements: Placement[] = [];
  for (const { object, revision, atMs } of events) {
    const { nodeName: node, epoch = 0, term = 0 } = object.status ?? {};
    if (node === undefined) continue;
    const last = placements.at(-1);
    if (last?.node === node && last.epoch === epoch) last.term = term;
    else placements.push({ node, epoch, term, revision, shownMs: atMs });
  }
  return placements;
}

function unprovenMoves(
  events: readonly ContainerEvent[],
  leases: ReadonlyMap<string, LeaseEvent[]>,
): Finding[] {
  const name = events[0]?.object.metadata.name ?? '';
  const placements = placementsOf(events);
  return placements.flatMap((now, index) => {
    const before = placements[index - 1];
    if (before === undefined) return [];
    const move = `${name} went from ${before.node} (epoch ${before.epoch}) to ${now.node} (epoch ${now.epoch})`;
    if (now.epoch <= before.epoch) return finding(`${move}: the epoch did not grow`);
    if (now.node === before.node) return [];
    const spec = events.findLast(({ revision }) => revision < now.revision)?.object.spec;
    if (spec?.failover?.policy === 'Stay') return finding(`${move}, and is to stay`);
    const lease = leases.get(before.node)?.findLast(({ revision }) => revision < now.revision)?.object;
    return hasLost(lease, before.term) ? [] : finding(`${move} while ${before.node} held its lease`);
  });
}

/** Revoked, or let in again since under a new term, with which it does not run what the old one let it run. */
function hasLost(lease: Lease | undefined, term: number): boolean {
  if (lease === undefined) return false;
  const { holder, term: now } = leaseRecord(lease);
  return holder === '' || now > term;
}

/** A start on a host where, as had already been seen, the container was not placed any more. */
function startsElsewhere(name: string, beats: readonly Beat[], events: readonly ContainerEvent[]): Finding[] {
  const placements = placementsOf(events);
  return livesOf(beats).flatMap((life) => {
    const now = placements.findLast(({ shownMs }) => shownMs < life.firstMs);
    if (life.host === '?' || now === undefined || now.node === life.host) return [];
    return isOnItsWay(life, placements[placements.indexOf(now) + 1])
      ? []
      : finding(
          `${name} was started on ${life.host} at ${life.firstMs} ms, ` +
            `${Math.round(life.firstMs - now.shownMs)} ms after it was placed on ${now.node}`,
        );
  });
}

/** Whoever watches sees a placement later than its host; how much later, on a machine that is busy, and an etcd that freezes? */
const WATCH_LAG_MS = 20_000;

function isOnItsWay({ host, firstMs }: Life, next: Placement | undefined): boolean {
  return next?.node === host && next.shownMs - firstMs < WATCH_LAG_MS;
}
