import type { ContainerMigration } from '../../crds/container.ts';
import { claimOf } from './claim.ts';
import { planCompletion } from './completion.ts';
import { planCopy } from './copying.ts';
import { ended, isLate, isOver, lateness } from './ending.ts';
import type { ClaimedFacts, MigrationFacts, MigrationStep } from './facts.ts';
import { planSettling } from './settling.ts';
import { isReadyToSwitch, planHeld, planLive } from './switching.ts';

/**
 * Decides the one next step of a migration, for the leader, who alone writes phases and placements. Pure and total; every
 * step is one write, conditional on the version of the object that was looked at, so it may be planned from an old view,
 * by two leaders at once, and again after a lost reply.
 *
 * Safety: the container is placed on the target by a write that is conditional on the very Container that holds the source
 * back (`Held`, under an epoch in which the source has said that it is stopped), or that lets the target start it by the
 * live pass alone (`Live`). It comes back only when it was never placed elsewhere, or nothing runs there for certain. Nobody
 * starts a copy that is not whole, and none is given up before another one is placed and runs.
 */
export function planMigration(facts: MigrationFacts): MigrationStep {
  const { migration, container } = facts;
  const { status = {} } = migration;
  const claim = claimOf(migration, container);
  if (isOver(status)) return planSettling(facts);
  if (status.phase === undefined || status.phase === 'Pending') return planPending(facts, claim);
  if (container === undefined) return ended(facts, 'Failed', GONE);
  if (claim === undefined) return planCompletion(facts);
  const claimed: ClaimedFacts = { ...facts, container, claim };
  const end = status.phase === 'Completing' ? undefined : whyEnd(claimed);
  if (end !== undefined) return ended(facts, end.phase, end);
  switch (claim.stage) {
    case 'Copying':
      return planCopy(claimed);
    case 'Held':
      return planHeld(claimed);
    case 'Live':
      return planLive(claimed);
    default:
      return planCompletion(facts);
  }
}

function planPending(facts: MigrationFacts, claim: ContainerMigration | undefined): MigrationStep {
  const { migration } = facts;
  if (migration.metadata.deletionTimestamp !== undefined) return ended(facts, 'Cancelled', CANCELLED);
  if (isLate(facts)) return ended(facts, 'Failed', lateness(facts));
  if (claim === undefined) return { do: 'admit' };
  // The leader that made the claim did not come to say so.
  const { source, target, transfer } = claim;
  return { do: 'status', status: { ...migration.status, phase: 'Preparing', source, target, transfer } };
}

/** What ends it before the switch; after it, it goes on to its end. */
function whyEnd(
  facts: ClaimedFacts,
): { phase: 'Failed' | 'Cancelled'; reason: string; message: string } | undefined {
  const { migration, container, claim, source, target } = facts;
  if (claim.stage === 'Live') return whyEndLive(facts);
  if (claim.stage === 'Switched') return undefined;
  if (migration.metadata.deletionTimestamp !== undefined) return { phase: 'Cancelled', ...CANCELLED };
  if (container.metadata.deletionTimestamp !== undefined) return { phase: 'Failed', ...GONE };
  // What has changed since it was admitted: a volume that only its host has would be left behind.
  if (facts.obstacle !== undefined) return { phase: 'Failed', ...facts.obstacle };
  if (isLate(facts)) return { phase: 'Failed', ...lateness(facts) };
  if (!target.isReady) {
    return { phase: 'Failed', reason: 'TargetLost', message: `Node ${claim.target} is not ready any more` };
  }
  if (source.isReady || (claim.stage === 'Held' && isReadyToSwitch(facts))) return undefined;
  return { phase: 'Failed', reason: 'SourceLost', message: `Node ${claim.source} is not ready any more` };
}

/** The pass itself is never cut short: what comes of it is told. */
function whyEndLive(facts: ClaimedFacts): ReturnType<typeof whyEnd> {
  const { migration, claim, source, now, pauseStartedMs = now.ms } = facts;
  if (isLate(facts)) return { phase: 'Failed', ...lateness(facts) };
  const { pass, sourceReport } = migration.status ?? {};
  if (sourceReport?.offered === pass) return undefined;
  if (!source.isReady) {
    return { phase: 'Failed', reason: 'SourceLost', message: `Node ${claim.source} is not ready any more` };
  }
  const isStuck = now.ms - pauseStartedMs > OFFER_LIMIT_MS;
  return isStuck ? { phase: 'Failed', reason: 'NotOffered', message: NOT_OFFERED } : undefined;
}

const OFFER_LIMIT_MS = 60_000;
const NOT_OFFERED = 'The source did not offer the live pass';
const CANCELLED = { reason: 'Cancelled', message: 'It was deleted' };
const GONE = { reason: 'ContainerDeleted', message: 'The container is being deleted, or is gone' };
