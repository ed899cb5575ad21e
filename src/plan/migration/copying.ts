import { parseDurationMs } from '../../crds/duration.ts';
import type { MigrationStatus } from '../../crds/migration.ts';
import { ended, goesOn } from './ending.ts';
import type { ClaimedFacts, MigrationStep } from './facts.ts';
import { FIRST_PASS, isWorthAnother, MAX_FAILURES } from './passes.ts';
import { type Reason, wantedMode } from './mode.ts';
import { heldStatus, liveStatus } from './stages.ts';

/** While the container runs where it always did: both hosts say that they can, then pass after pass is copied. */
export function planCopy(facts: ClaimedFacts): MigrationStep {
  const { migration } = facts;
  const { status = {} } = migration;
  if (status.phase === 'Preparing') return planPreparing(facts, status);
  // It came back from a live pass that failed.
  if (status.phase === 'SwitchingOver') {
    // An older view of the container shows the stage before, and not a higher epoch.
    const isBack = (facts.container.status?.epoch ?? 0) > (status.epoch ?? 0);
    return isBack ? goCold(facts, status) : { do: 'nothing' };
  }
  const { pass = 0, sourceReport, targetReport } = status;
  if (targetReport?.pass === pass) return planNext(facts, status);
  if (sourceReport?.failedPass === pass || targetReport?.failedPass === pass) {
    return tryAgain(facts, status, MAX_FAILURES);
  }
  return { do: 'nothing' };
}

function planPreparing(facts: ClaimedFacts, status: MigrationStatus): MigrationStep {
  const { sourceReport, targetReport } = status;
  // A source that can, but whose first offer failed, tries again as with any other pass.
  const fault = (sourceReport?.prepared === true ? undefined : sourceReport?.fault) ?? targetReport?.fault;
  if (fault !== undefined) return ended(facts, 'Failed', fault);
  const { liveObstacle } = sourceReport ?? {};
  if (status.mode === 'Live' && liveObstacle !== undefined) {
    return stayCold(facts, status, liveObstacle);
  }
  if (sourceReport?.prepared !== true || targetReport?.prepared !== true) return { do: 'nothing' };
  if (facts.claim.transfer === 'Shared') return leave(facts, status);
  const next = goesOn(facts, 'Copying', 'The root is copied while the container runs');
  return { do: 'status', status: { ...next, pass: FIRST_PASS, passes: 0, failures: 0, final: false } };
}

function planNext(facts: ClaimedFacts, status: MigrationStatus): MigrationStep {
  const { pass = 0, passes = 0, lastPassMs, targetReport } = status;
  const { bytes = 0, tookMs = 0 } = targetReport ?? {};
  const previousMs = lastPassMs === undefined ? {} : { previousMs: lastPassMs };
  if (isWorthAnother({ passes: passes + 1, bytes, tookMs, ...previousMs })) {
    const next = goesOn(facts, 'Refreshing', 'What has changed since is copied while the container runs');
    return {
      do: 'status',
      status: { ...next, pass: pass + 1, passes: passes + 1, failures: 0, lastPassMs: tookMs },
    };
  }
  const maxPauseMs = parseDurationMs(facts.migration.spec.maxPause ?? '');
  if (maxPauseMs !== undefined && passes > 0 && tookMs > maxPauseMs) {
    const message = `The last pass alone took ${tookMs} ms, more than spec.maxPause`;
    return ended(facts, 'Failed', { reason: 'PauseTooLong', message });
  }
  return leave(facts, status);
}

/** From here on the container pauses. */
function leave(facts: ClaimedFacts, { mode }: MigrationStatus): MigrationStep {
  const { container, claim, target, now } = facts;
  if (mode === 'Live') {
    return { do: 'container', what: 'live', status: liveStatus(container, claim, target.seat, now.iso) };
  }
  return { do: 'container', what: 'hold', status: heldStatus(container, claim, now.iso) };
}

/** The next pass instead of one that failed. @param limit so many failures in a row end it */
export function tryAgain(facts: ClaimedFacts, status: MigrationStatus, limit: number): MigrationStep {
  const { pass = 0, failures = 0, sourceReport, targetReport } = status;
  const fault = (sourceReport?.failedPass === pass ? sourceReport : targetReport)?.fault;
  const why = fault ?? { reason: 'TransferFailed', message: 'The copy failed' };
  if (failures + 1 >= limit) return ended(facts, 'Failed', why);
  const message = `A pass of the copy failed, and is made again: ${why.message}`;
  const next = goesOn(facts, status.phase ?? 'Copying', message);
  return { do: 'status', status: { ...next, pass: pass + 1, failures: failures + 1 } };
}

/** Nothing has been copied yet: who wants it live and nothing else is refused at once. */
function stayCold(facts: ClaimedFacts, status: MigrationStatus, why: Reason): MigrationStep {
  if (wantedMode(facts.migration, facts.container) === 'Live') return ended(facts, 'Failed', why);
  const conditions = withColdReason(status, why, facts.now.iso);
  return { do: 'status', status: { ...status, mode: 'Cold', conditions } };
}

function goCold(facts: ClaimedFacts, status: MigrationStatus): MigrationStep {
  const { pass = 0, targetReport, pauseStartedAt: _pauseStartedAt, ...kept } = status;
  const fault = targetReport?.fault ?? { reason: 'TransferFailed', message: 'The live pass failed' };
  if (wantedMode(facts.migration, facts.container) === 'Live') return ended(facts, 'Failed', fault);
  const migration = { ...facts.migration, status: kept };
  const next = goesOn({ ...facts, migration }, 'Refreshing', 'The live pass failed; it goes on cold');
  return {
    do: 'status',
    status: {
      ...next,
      mode: 'Cold',
      pass: pass + 1,
      final: false,
      failures: 0,
      ...(targetReport === undefined ? {} : { targetReport }),
      conditions: withColdReason(next, fault, facts.now.iso),
    },
  };
}

function withColdReason(
  { conditions = [] }: MigrationStatus,
  { reason, message }: { reason: string; message: string },
  now: string,
): NonNullable<MigrationStatus['conditions']> {
  const others = conditions.filter(({ type }) => type !== 'Live');
  return [...others, { type: 'Live', status: 'False', reason, message, lastTransitionTime: now }];
}
