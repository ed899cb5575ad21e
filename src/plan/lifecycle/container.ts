import type { Container } from '../../crds/container.ts';
import { HOST_FINALIZER } from '../../crds/kind.ts';
import { planMoving } from './moving.ts';
import { isToRun } from './power.ts';
import { restartedAtOf, type SeenInstance } from './record.ts';
import { planRestart, restartRulesOf } from './restart.ts';
import { type ContainerFacts, holdBack, isBehind, isUp, type Step, stopGraceMs } from './steps.ts';

export { isBehind, stopGraceMs } from './steps.ts';
export type { ContainerFacts, Step, StepFailure } from './steps.ts';

const HOST_RETRY_MS = 2_000;
const BUSY_RETRY_MS = 200;
const NAME_RETRY_MS = 30_000;
/** A daemon says for more than a second that an instance runs whose init has ended at once. */
const JUST_STARTED_MS = 2_000;
const FAILURE_BASE_MS = 1_000;
const FAILURE_MAX_MS = 30_000;

/**
 * Decides the one next step of a host towards `container`. Pure and total. Invariants: nothing on what is unknown,
 * nothing below the highest epoch, nothing to an instance that is not this Container's, and no step that undoes another.
 */
export function planContainer(facts: ContainerFacts): Step {
  const { container, seen } = facts;
  if (container.status?.nodeName !== facts.nodeName) return { do: 'ignore', reason: 'NotAssigned' };
  if ((container.status.epoch ?? 0) < facts.highestEpoch) return { do: 'ignore', reason: 'StaleEpoch' };
  if (seen === 'unknown') {
    return {
      do: 'wait',
      reason: 'HostUnavailable',
      message: "The host's daemon does not answer",
      afterMs: HOST_RETRY_MS,
    };
  }
  const moving = planMoving(facts);
  const step = moving ?? (seen === 'absent' ? planAbsent(facts) : planPresent(facts, seen));
  return holdBack(step, facts);
}

/** How long to hold a step back after so many failures in a row (>= 1): doubling, at most 30 s, so that it heals soon. */
export function failureBackoffMs(failures: number): number {
  return Math.min(FAILURE_MAX_MS, FAILURE_BASE_MS * 2 ** (failures - 1));
}

function isDeleting({ metadata }: Container): boolean {
  return metadata.deletionTimestamp !== undefined;
}

function planRelease({ container, source }: ContainerFacts): Step {
  if (container.metadata.finalizers?.includes(HOST_FINALIZER) !== true) return { do: 'nothing' };
  return source === 'api' ? { do: 'release' } : apiAway();
}

function planAbsent(facts: ContainerFacts): Step {
  if (isDeleting(facts.container)) return planRelease(facts);
  if (facts.source === 'disk') return apiAway();
  if (facts.forbiddenConfig.length > 0) return configNotAllowed(facts.forbiddenConfig);
  return { do: 'create', start: isToRun(facts.container) };
}

function planPresent(facts: ContainerFacts, seen: SeenInstance): Step {
  const { container } = facts;
  if (seen.mark === undefined) {
    if (isDeleting(container)) return planRelease(facts);
    const message = `The host has an instance ${seen.name} already, which is not Hostler's`;
    return { do: 'wait', reason: 'NameTaken', message, afterMs: NAME_RETRY_MS };
  }
  if (seen.mark.uid !== container.metadata.uid) {
    return facts.source === 'api' ? { do: 'examine' } : apiAway();
  }
  if (seen.status === 'Busy') {
    const message = 'The instance is between two states';
    return { do: 'wait', reason: 'Busy', message, afterMs: BUSY_RETRY_MS };
  }
  if (isDeleting(container)) return planDeletion(facts, seen);
  return isToRun(container) ? planRunning(facts, seen) : planStopped(facts, seen);
}

function planDeletion({ container, source }: ContainerFacts, seen: SeenInstance): Step {
  if (source === 'disk') return apiAway();
  if (isUp(seen)) return { do: 'stop', because: 'Deleted', graceMs: stopGraceMs(container) };
  // It was deleted between the arrival of a copy and its taking over.
  return seen.incoming === undefined ? { do: 'delete' } : { do: 'drop', migration: seen.incoming };
}

function planStopped(facts: ContainerFacts, seen: SeenInstance): Step {
  if (isUp(seen)) return { do: 'stop', because: 'PoweredOff', graceMs: stopGraceMs(facts.container) };
  return needsUpdate(facts, seen) ? { do: 'update' } : { do: 'nothing' };
}

/** An update that fails does not keep a container down: it is held back last, after all else. */
function planRunning(facts: ContainerFacts, seen: SeenInstance): Step {
  const { container, record } = facts;
  // A live move was cut short together with the daemon that froze it, and nobody else thaws it.
  if (seen.status === 'Freezing') return { do: 'start' };
  const update: Step | undefined = needsUpdate(facts, seen) ? { do: 'update' } : undefined;
  if (update && holdBack(update, facts) === update) return update;
  if (!isUp(seen)) return planStart(facts);
  if (record.history.endedAtMs !== undefined) return ending();
  if (seen.status === 'Running' && restartedAtOf(container) !== record.restartedAt) {
    return { do: 'stop', because: 'Restarting', graceMs: stopGraceMs(container) };
  }
  return update ?? justStarted(facts) ?? { do: 'nothing' };
}

/** That the run which was seen to have ended is shown again is the daemon's clearing up. */
function ending(): Step {
  const message = 'It has ended, and its host is clearing up after it';
  return { do: 'wait', reason: 'Ending', message, afterMs: BUSY_RETRY_MS };
}

/** A restart is taken for a run only when it is seen to last. */
function justStarted({ record, nowMs }: ContainerFacts): Step | undefined {
  const sinceMs = nowMs - (record.history.seenSinceMs ?? Number.NEGATIVE_INFINITY);
  if (sinceMs < 0 || sinceMs >= JUST_STARTED_MS) return undefined;
  const message = `It was started again just now, and is ready once it has run for ${JUST_STARTED_MS / 1_000} s`;
  return { do: 'wait', reason: 'JustStarted', message, afterMs: JUST_STARTED_MS - sinceMs };
}

function planStart({ container, source, record, nowMs }: ContainerFacts): Step {
  const { history } = record;
  // Killed before its disk knew of the first start: only the API can tell whether this is the first, or a restart.
  if (source === 'disk' && record.power === 'New') return apiAway();
  const isAskedFor = restartedAtOf(container) !== record.restartedAt;
  if (history.endedAtMs === undefined || isAskedFor) return { do: 'start' };
  const decision = planRestart({ ...restartRulesOf(container.spec), history, nowMs });
  switch (decision.do) {
    case 'restart':
      return { do: 'start' };
    case 'wait': {
      const message = `It ended by itself, ${history.inARow + 1} times in a row; the next restart waits for ${decision.delayMs / 1_000} s`;
      return { do: 'wait', reason: 'BackOff', message, afterMs: decision.afterMs };
    }
    default:
      return { do: 'nothing' };
  }
}

/** Settings that the host does not allow keep the instance as it is. */
function needsUpdate({ container, forbiddenConfig, source }: ContainerFacts, seen: SeenInstance): boolean {
  return forbiddenConfig.length === 0 && source === 'api' && isBehind(container, seen);
}

function apiAway(): Step {
  return {
    do: 'wait',
    reason: 'ApiUnavailable',
    message: 'The API has not been reached since the agent started',
  };
}

/** For people: why `keys` are refused. */
export function configNotAllowedMessage(keys: readonly string[]): string {
  return `spec.config has keys that this host does not allow: ${keys.join(', ')}`;
}

function configNotAllowed(keys: readonly string[]): Step {
  return { do: 'wait', reason: 'ConfigNotAllowed', message: configNotAllowedMessage(keys) };
}
