import { parseDurationMs } from '../../crds/duration.ts';
import type { MigrationStatus } from '../../crds/migration.ts';
import { claimOf, withoutClaim } from './claim.ts';
import { ended, goesOn, isLate, lateness } from './ending.ts';
import type { MigrationFacts, MigrationStep } from './facts.ts';
import { hasArrived, returnedStatus } from './stages.ts';

/** The source copy of a host that does not answer is removed when it is back. */
const CLEAR_LIMIT_MS = 60_000;
const LOOK_AGAIN_MS = 5_000;

/** After the switch: the target runs it, then the claim goes, and with it the copy on the source. */
export function planCompletion(facts: MigrationFacts): MigrationStep {
  const { migration, container } = facts;
  const { status = {} } = migration;
  const claim = claimOf(migration, container);
  if (claim === undefined || container === undefined) return planUnclaimed(facts, status);
  if (status.phase !== 'Completing') {
    const next = goesOn(facts, 'Completing', `It is started on ${claim.target}`);
    const passes = (status.passes ?? 0) + (claim.transfer === 'Copy' ? 1 : 0);
    return { do: 'status', status: { ...next, passes } };
  }
  if (hasArrived(container)) {
    if (status.pauseMs !== undefined) {
      return { do: 'container', what: 'release', status: withoutClaim(container.status ?? {}) };
    }
    const next = goesOn(
      facts,
      'Completing',
      `${found(container)} on ${claim.target}; what is left on the source is removed`,
    );
    return { do: 'status', status: { ...next, pauseMs: pauseMs(facts) } };
  }
  const returned = whenTargetIsLost(facts);
  if (returned !== undefined) return returned;
  return isLate(facts) ? ended(facts, 'Failed', lateness(facts)) : { do: 'nothing', afterMs: LOOK_AGAIN_MS };
}

/** The target is fenced before it has said that it runs: the whole copy is on the source still. */
export function whenTargetIsLost(facts: MigrationFacts): MigrationStep | undefined {
  const { migration, container, target, source, now } = facts;
  const claim = claimOf(migration, container);
  if (claim?.transfer !== 'Copy' || container === undefined || !target.isFenced) return undefined;
  const status = returnedStatus(container, claim, { seat: source.seat, now: now.iso });
  return { do: 'container', what: 'return', status };
}

function planUnclaimed(facts: MigrationFacts, status: MigrationStatus): MigrationStep {
  const { migration, source, container, now } = facts;
  if (status.phase !== 'Completing' || status.pauseMs === undefined) {
    const where = container?.status?.nodeName ?? 'no node';
    const message = `The container was taken from it: it is placed on ${where}`;
    return ended(facts, 'Failed', { reason: 'Overtaken', message });
  }
  const arrivedMs = (facts.pauseStartedMs ?? now.ms) + status.pauseMs;
  const leftMs = arrivedMs + CLEAR_LIMIT_MS - now.ms;
  const isCleared = status.sourceReport?.cleared === true;
  if (!isCleared && source.isReady && leftMs > 0) return { do: 'nothing', afterMs: leftMs };
  const rest = isCleared ? '' : `; what is left on ${migration.status?.source} is removed once it is back`;
  const message = `${found(container)} on ${migration.status?.target}${rest}${tooLong(facts)}`;
  return ended(facts, 'Succeeded', { reason: 'Succeeded', message });
}

/** What is off stays off. */
function found(container: MigrationFacts['container']): string {
  return container?.status?.phase === 'Running' ? 'It runs' : 'It is';
}

/** What could not be known before it ran. */
function tooLong({ migration: { spec, status } }: MigrationFacts): string {
  const { maxPause } = spec;
  const limitMs = parseDurationMs(maxPause ?? '') ?? Number.POSITIVE_INFINITY;
  const { pauseMs: tookMs = 0 } = status ?? {};
  return tookMs <= limitMs ? '' : `; its pause of ${tookMs} ms was longer than spec.maxPause, ${maxPause}`;
}

function pauseMs({ now, pauseStartedMs = now.ms }: MigrationFacts): number {
  return Math.max(0, now.ms - pauseStartedMs);
}
