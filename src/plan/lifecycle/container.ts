import type { Container } from '../../crds/container.ts';
import { parseDurationMs } from '../../crds/duration.ts';
import { HOST_FINALIZER } from '../../crds/kind.ts';
import { type ContainerRecord, restartedAtOf, type Seen, type SeenInstance } from './record.ts';
import { planRestart, restartRulesOf } from './restart.ts';

/** The last failed attempt at a step. It holds the same step back for a while, unless what it depends on has changed. */
export interface StepFailure {
  step: Step['do'];
  /** CamelCase, for the condition. */
  reason: string;
  message: string;
  /** What the step depended on: `cause` of the facts at the time. */
  cause: string;
  /** Milliseconds until the next attempt. */
  retryAfterMs: number;
}

export interface ContainerFacts {
  container: Container;
  nodeName: string;
  /** The highest epoch ever seen for this uid, on disk or on the instance's mark. */
  highestEpoch: number;
  /**
   * `disk`: what the agent remembers from before its own start; the API has not been heard since. It is good enough to
   * start what ended, not to create or remove anything.
   */
  source: 'api' | 'disk';
  seen: Seen;
  /** After `observeInstance` of the same `seen`. */
  record: ContainerRecord;
  /** Keys of spec.config that this host does not allow. */
  forbiddenConfig: readonly string[];
  failure?: StepFailure;
  /** A digest of all that a failed step may have failed for: generation, epoch, annotation, pools of the host. */
  cause: string;
  /** Wall-clock milliseconds. */
  nowMs: number;
}

export type Step =
  | { do: 'nothing' }
  /** Not this node's to act on; neither host nor status is touched. */
  | { do: 'ignore'; reason: 'NotAssigned' | 'StaleEpoch' }
  /** The name is taken by an instance of an earlier Container: `planOrphan` decides about that one first. */
  | { do: 'examine' }
  /** Without `afterMs`: until the Container, the host or the API changes. */
  | { do: 'wait'; reason: string; message: string; afterMs?: number }
  | { do: 'create'; start: boolean }
  | { do: 'update' }
  | { do: 'start' }
  | { do: 'stop'; because: 'PoweredOff' | 'Restarting' | 'Deleted'; graceMs: number }
  | { do: 'delete' }
  /** The host is clear: take the finalizer off. */
  | { do: 'release' };

const HOST_RETRY_MS = 2_000;
const BUSY_RETRY_MS = 200;
const NAME_RETRY_MS = 30_000;
const DEFAULT_STOP_MS = 30_000;
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
  const step = seen === 'absent' ? planAbsent(facts) : planPresent(facts, seen);
  return holdBack(step, facts);
}

/** How long to hold a step back after so many failures in a row (>= 1): doubling, at most 30 s, so that it heals soon. */
export function failureBackoffMs(failures: number): number {
  return Math.min(FAILURE_MAX_MS, FAILURE_BASE_MS * 2 ** (failures - 1));
}

/** How long the container may take to stop by itself before it is killed. */
export function stopGraceMs({ spec }: Pick<Container, 'spec'>): number {
  return parseDurationMs(spec.stopTimeout ?? '') ?? DEFAULT_STOP_MS;
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
  return { do: 'create', start: facts.container.spec.power !== 'Stopped' };
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
  return container.spec.power === 'Stopped' ? planStopped(facts, seen) : planRunning(facts, seen);
}

function planDeletion({ container, source }: ContainerFacts, seen: SeenInstance): Step {
  if (source === 'disk') return apiAway();
  if (isUp(seen)) return { do: 'stop', because: 'Deleted', graceMs: stopGraceMs(container) };
  return { do: 'delete' };
}

function planStopped(facts: ContainerFacts, seen: SeenInstance): Step {
  if (isUp(seen)) return { do: 'stop', because: 'PoweredOff', graceMs: stopGraceMs(facts.container) };
  return needsUpdate(facts, seen) ? { do: 'update' } : { do: 'nothing' };
}

/** An update that fails does not keep a container down: it is held back last, after all else. */
function planRunning(facts: ContainerFacts, seen: SeenInstance): Step {
  const { container, record } = facts;
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

/** Whether the instance has the settings and the mark of an older generation or placement. */
export function isBehind(container: Container, seen: SeenInstance): boolean {
  return (
    seen.mark?.generation !== container.metadata.generation ||
    seen.mark?.epoch !== (container.status?.epoch ?? 0)
  );
}

/** Settings that the host does not allow keep the instance as it is. */
function needsUpdate({ container, forbiddenConfig, source }: ContainerFacts, seen: SeenInstance): boolean {
  return forbiddenConfig.length === 0 && source === 'api' && isBehind(container, seen);
}

function isUp(seen: SeenInstance): boolean {
  return seen.status === 'Running' || seen.status === 'Frozen';
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

function holdBack(step: Step, { failure, cause }: ContainerFacts): Step {
  if (failure?.step !== step.do || failure.cause !== cause || failure.retryAfterMs <= 0) return step;
  return {
    do: 'wait',
    reason: failure.reason,
    message: failure.message,
    afterMs: failure.retryAfterMs,
  };
}
