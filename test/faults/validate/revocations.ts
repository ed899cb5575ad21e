import type { Lease } from '../../../src/crds/lease.ts';
import { leaseRecord } from '../../../src/plan/failover/lease-record.ts';
import type { Played, RunRecord } from '../record.ts';
import { type Finding, findingOf } from './finding.ts';
import { type LeaseEvent, leaseHistory } from './placements.ts';

const finding = findingOf('no hasty revocation');
/** What was renewed just before a clock was set, or just after, may carry either time. */
const MARGIN_MS = 2_000;

/**
 * A revocation by time comes no earlier than duration + fenceDelay after the renewal before it, and only where a guard was
 * armed. The renewal carries the time at which it was made, on the wall clock of the machine that all hosts share; the
 * revocation was made before anybody saw it. Where the agent's clock was set, the renewal was made after one with a smaller
 * revision of another host, whose clock was not.
 */
export function findHastyRevocations({ history, faults }: Pick<RunRecord, 'history' | 'faults'>): Finding[] {
  const leases = leaseHistory(history);
  const honest = [...leases.values()].flat().filter((event) => isHonest(event, faults));
  honest.sort((one, other) => one.revision - other.revision);
  return [...leases].flatMap(([node, events]) =>
    events.flatMap((event, index) => {
      const before = events[index - 1];
      if (before === undefined || !isTakenByTime(before.object, event.object)) return [];
      const { timing, isGuarded } = leaseRecord(before.object);
      if (!isGuarded) return finding(`the lease of ${node} was revoked although no guard was armed`);
      const renewedMs = renewedSince(before, honest);
      const silentMs = event.wallMs - renewedMs;
      const leastMs = timing.durationMs + timing.fenceDelayMs;
      if (silentMs >= leastMs) return [];
      return finding(
        `the lease of ${node} was revoked ${Math.round(silentMs)} ms after a renewal; it takes ${leastMs} ms`,
      );
    }),
  );
}

const timeOf = ({ object }: LeaseEvent): number => Date.parse(String(leaseRecord(object).renewal));

/** The earliest moment, on the machine's wall clock, at which this renewal can have been made. */
function renewedSince(renewal: LeaseEvent, honest: readonly LeaseEvent[]): number {
  if (honest.includes(renewal)) return timeOf(renewal);
  const earlier = honest.findLast(({ revision }) => revision < renewal.revision);
  return earlier === undefined ? Number.NEGATIVE_INFINITY : timeOf(earlier);
}

function isHonest({ object, atMs }: LeaseEvent, faults: readonly Played[]): boolean {
  const { holder, renewal } = leaseRecord(object);
  if (holder === '' || renewal === '') return false;
  return !faults.some(
    ({ what, host, fromMs, toMs = Number.POSITIVE_INFINITY }) =>
      host === object.metadata.name &&
      what.startsWith('set-clock') &&
      atMs > fromMs - MARGIN_MS &&
      atMs < toMs + MARGIN_MS,
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
