import { parseDurationMs } from '../../crds/duration.ts';
import { stopGraceMs } from '../lifecycle/container.ts';
import type { MigrationStatus } from '../../crds/migration.ts';
import { tryAgain } from './copying.ts';
import { ended, goesOn } from './ending.ts';
import type { ClaimedFacts, MigrationStep } from './facts.ts';
import { holdLimitMs, MAX_FINAL_FAILURES } from './passes.ts';
import { arrivedLiveStatus, returnedStatus, switchedStatus } from './stages.ts';

/**
 * Cold: the source lets go and says so under the epoch in which it is held; only then the last pass is offered, and only
 * with both reports for this very epoch and pass is the container placed on the target.
 */
export function planHeld(facts: ClaimedFacts): MigrationStep {
  const { container, claim, target, now } = facts;
  const status = facts.migration.status ?? {};
  if (isNew(facts, status)) return begin(facts, status, 'The container is stopped for the last pass');
  if (isReadyToSwitch(facts)) {
    return {
      do: 'container',
      what: 'switch',
      status: switchedStatus(container, claim, target.seat, now.iso),
    };
  }
  const { pass = 0, sourceReport, targetReport } = status;
  if (sourceReport?.failedPass === pass || targetReport?.failedPass === pass) {
    return tryAgain(facts, status, MAX_FINAL_FAILURES);
  }
  const leftMs = holdLeftMs(facts, status);
  if (leftMs > 0) return { do: 'nothing', afterMs: leftMs };
  const { maxPause } = facts.migration.spec;
  const allowed = maxPause === undefined ? 'in which it may be held' : `of spec.maxPause, ${maxPause}`;
  const message = `It could not be switched over within the time ${allowed}: it goes on where it was`;
  return ended(facts, 'Failed', { reason: 'PauseTooLong', message });
}

/** Live: the target says that it runs, or that nothing of this pass can run there any more. */
export function planLive(facts: ClaimedFacts): MigrationStep {
  const status = facts.migration.status ?? {};
  if (isNew(facts, status)) return begin(facts, status, 'The container moves while it runs');
  return liveOutcome(facts, 'Copying') ?? { do: 'nothing' };
}

/**
 * What has become of a live pass, as far as that is certain.
 * @param stage the stage that a container which stays goes back to; undefined: the migration gives it up
 */
export function liveOutcome(
  { migration, container, claim, target, source, now }: ClaimedFacts,
  stage: 'Copying' | undefined,
): MigrationStep | undefined {
  const epoch = container.status?.epoch;
  const { runningEpoch, clearedEpoch } = migration.status?.targetReport ?? {};
  if (runningEpoch === epoch) {
    return { do: 'container', what: 'arrived', status: arrivedLiveStatus(container, claim, now.iso) };
  }
  if (clearedEpoch !== epoch && !target.isFenced) return undefined;
  const back = { seat: source.seat, now: now.iso, ...(stage === undefined ? {} : { stage }) };
  return { do: 'container', what: 'return', status: returnedStatus(container, claim, back) };
}

/** The Migration has not said yet under which epoch the container is switched over. */
function isNew({ container }: ClaimedFacts, { phase, epoch }: MigrationStatus): boolean {
  return phase !== 'SwitchingOver' || epoch !== container.status?.epoch;
}

function begin(
  facts: ClaimedFacts,
  { pass = 0, passes = 0 }: MigrationStatus,
  message: string,
): MigrationStep {
  const next = goesOn(facts, 'SwitchingOver', message);
  const { epoch } = facts.container.status ?? {};
  return {
    do: 'status',
    status: {
      ...next,
      ...(epoch === undefined ? {} : { epoch }),
      pass: pass + 1,
      passes: facts.claim.transfer === 'Shared' ? passes : passes + 1,
      final: true,
      failures: 0,
      pauseStartedAt: facts.now.iso,
    },
  };
}

/** The source has let go, and what is on the target is all that it had then. */
export function isReadyToSwitch(facts: ClaimedFacts): boolean {
  const status = facts.migration.status ?? {};
  return hasLetGo(facts, status) && isWhole(facts, status);
}

function hasLetGo({ container }: ClaimedFacts, { sourceReport }: MigrationStatus): boolean {
  return sourceReport?.stoppedEpoch !== undefined && sourceReport.stoppedEpoch === container.status?.epoch;
}

function isWhole(
  { claim }: ClaimedFacts,
  { final, pass, sourceReport, targetReport }: MigrationStatus,
): boolean {
  if (claim.transfer === 'Shared') return sourceReport?.forgotten === true;
  return final === true && pass !== undefined && targetReport?.pass === pass;
}

function holdLeftMs(
  { migration, container, now, pauseStartedMs = now.ms }: ClaimedFacts,
  status: MigrationStatus,
): number {
  const maxPauseMs = parseDurationMs(migration.spec.maxPause ?? '');
  const stopMs = stopGraceMs(container);
  return pauseStartedMs + holdLimitMs({ maxPauseMs, lastPassMs: status.lastPassMs ?? 0, stopMs }) - now.ms;
}
