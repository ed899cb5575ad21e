import type { Container } from '../../crds/container.ts';
import { instanceNameOf } from '../../crds/container.ts';
import { HOST_FINALIZER } from '../../crds/kind.ts';
import { keyOf } from '../../crds/object.ts';
import { forbiddenConfigKeys } from '../../plan/lifecycle/config-filter.ts';
import { type ContainerFacts, planContainer, type Step } from '../../plan/lifecycle/container.ts';
import {
  type ContainerRecord,
  newRecord,
  isNewEnd,
  observeInstance,
  recordStopping,
  restartedAtOf,
  type Seen,
} from '../../plan/lifecycle/record.ts';
import { sleep } from '../../ports/clock.ts';
import { hasCode, messageOf } from '../../ports/errors.ts';
import type { ReconcileResult } from '../../reconcile/controller.ts';
import { type Action, carryOut, failureReason, isAction, nowOf } from './actions.ts';
import type { Addresses } from './addresses.ts';
import type { HostWatch } from '../host-watch.ts';
import { type ContainersContext, recordEvent } from './context.ts';
import { letGoOf } from './let-go.ts';
import { seenOf } from './seen.ts';
import type { StatusWriter } from './status-writer.ts';

/**
 * Brings one container that is assigned to this node towards its spec: observe, plan, act, and look again until nothing
 * is left to do; then say what was seen, once. Nothing here waits for the API, except to lift the finalizer.
 */
export interface AssignedDeps extends ContainersContext {
  addresses: Addresses;
  statuses: StatusWriter;
  /** Monotonic milliseconds since when the daemon has not answered; undefined while it does. */
  hostAwaySinceMs(): number | undefined;
  /** The daemon has answered, or failed to. */
  onHost(fault?: unknown): void;
  /** What of the host's reports this work answers for. */
  hostWatch: Pick<HostWatch, 'lookBegins' | 'actionBegins'>;
  /** Deals with an instance of an earlier Container of this name. */
  examine(key: string, signal: AbortSignal): Promise<ReconcileResult>;
}

type Source = ContainerFacts['source'];
/** `overtaken`: a daemon says of an instance for a moment after its end that it runs; no failure, look again. */
type Outcome = 'done' | 'failed' | 'overtaken';

/** More steps than any way through the plan has. */
const MAX_STEPS = 8;
/** A step that takes longer is shown in the status while it goes on; many creates at once wait for each other that long. */
const SHOW_AFTER_MS = 5_000;
const LOOK_AGAIN_MS = 1_000;
const OVERTAKEN_MS = 200;
const PERMISSION_MS = 1_000;
/** So many steps may find themselves overtaken before it counts as a failure. */
const PATIENT_STEPS = 6;
/** A daemon that restarts is not worth a write to each of its containers. */
const AWAY_GRACE_MS = 10_000;

export function assignedReconciler(deps: AssignedDeps) {
  return async (container: Container, source: Source, signal: AbortSignal): Promise<ReconcileResult> => {
    const key = keyOf(container);
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const current = source === 'api' ? (deps.latest.get(key) ?? container) : container;
      const facts = await observe(deps, current, source, signal);
      const step = await permitted(deps, facts, planContainer(facts), signal);
      noteLetGo(deps, facts, step);
      if (step.do === 'ignore') {
        deps.logger.debug({ key, reason: step.reason }, 'container is left alone');
        return {};
      }
      if (step.do === 'examine') {
        const result = await deps.examine(key, signal);
        if (result.requeueAfterMs !== undefined) return result;
        continue;
      }
      if (!isAction(step)) return finish(deps, facts, step);
      const isPatient = steps < PATIENT_STEPS;
      if ((await attempt(deps, facts, { step, isPatient }, signal)) === 'overtaken') {
        await sleep(deps.clock, OVERTAKEN_MS, signal);
      }
      if (step.do === 'release') return {};
    }
    return { requeueAfterMs: LOOK_AGAIN_MS };
  };
}

/** What a migration waits for: that nothing of the container is under way here any more. */
function noteLetGo({ letGo }: AssignedDeps, facts: ContainerFacts, step: Step): void {
  const { container, seen, highestEpoch } = facts;
  const isLeft = step.do === 'ignore' || (step.do === 'wait' && step.reason === 'Migrating');
  const note = isLeft ? letGoOf(container, seen, highestEpoch) : undefined;
  if (note === undefined) letGo.forget(keyOf(container));
  else letGo.note(keyOf(container), note);
}

async function observe(
  deps: AssignedDeps,
  container: Container,
  source: Source,
  signal: AbortSignal,
): Promise<ContainerFacts> {
  const key = keyOf(container);
  const { uid = '', generation = 0 } = container.metadata;
  const found = await look(deps, container, signal);
  const entry = deps.book.get(key);
  const isOurs = entry?.container.metadata.uid === uid;
  const before = stoppedByGuard(deps, container, found, isOurs ? entry.record : newRecord(container));
  const seen = isNewEnd(before, { container, seen: found }) ? await lookAtEnd(deps, found, signal) : found;
  const now = nowOf(deps);
  const record = observeInstance(before, { container, seen, now });
  const epoch = container.status?.epoch ?? 0;
  const markEpoch = typeof seen === 'object' && seen.mark?.uid === uid ? seen.mark.epoch : 0;
  const highestEpoch = deps.book.raiseEpoch(uid, Math.max(epoch, markEpoch));
  if (epoch >= highestEpoch && container.status?.nodeName === deps.nodeName) {
    deps.book.put(container, record);
    if (isEndNoted(before, record)) {
      tellEnd(deps, container, record);
      // On the disk before anything starts it again: an agent that is killed in between must still count the restart.
      await deps.book.save();
    }
  }
  const failure = deps.failures.get(key);
  return {
    container,
    nodeName: deps.nodeName,
    highestEpoch,
    source,
    seen,
    record,
    forbiddenConfig: forbiddenConfigKeys(container.spec.config, deps.allowedConfig),
    ...(failure === undefined ? {} : { failure }),
    cause: `${uid}/${generation}/${epoch}/${restartedAtOf(container)}/${deps.hostState()}`,
    nowMs: now.ms,
  };
}

/**
 * What may be recovered elsewhere is created and started only with the guard's word, asked for right here, and once more
 * when its turn to start has come. A creation can take any time, so the start is a step of its own.
 */
async function permitted(
  { guarded }: AssignedDeps,
  { container }: ContainerFacts,
  step: Step,
  signal: AbortSignal,
): Promise<Step> {
  if ((step.do !== 'start' && step.do !== 'create') || !guarded.needsPermission(container)) return step;
  if (await guarded.mayStart(container, signal)) {
    return step.do === 'create' ? { do: 'create', start: false } : step;
  }
  return {
    do: 'wait',
    reason: 'NotPermitted',
    message: 'The lease of its node does not permit it to run here now: it may be recovered elsewhere',
    afterMs: PERMISSION_MS,
  };
}

/** Without a lease the guard stops it: that is no end by itself, and no restart. */
function stoppedByGuard(
  { guarded, isLeaseExpired }: AssignedDeps,
  container: Container,
  seen: Seen,
  record: ContainerRecord,
): ContainerRecord {
  const isDown = typeof seen === 'object' && seen.status === 'Stopped';
  const isNew = record.power === 'Running' && record.history.endedAtMs === undefined;
  if (!isDown || !isNew || !isLeaseExpired() || !guarded.needsPermission(container)) return record;
  return recordStopping(record);
}

/** A daemon that does not answer, or not sensibly, leaves everything unknown. */
async function look(deps: AssignedDeps, container: Container, signal: AbortSignal): Promise<Seen> {
  const name = instanceNameOf(container);
  try {
    const [instance, lookSucceeded] = await deps.limits.looks.run(signal, async () => {
      const succeeded = deps.hostWatch.lookBegins(keyOf(container));
      return [await deps.host.getInstance(name, signal), succeeded] as const;
    });
    lookSucceeded();
    deps.onHost();
    return instance === undefined ? 'absent' : seenOf(instance);
  } catch (error) {
    if (signal.aborted) throw error;
    deps.logger.debug({ instance: name, error: messageOf(error) }, 'cannot look at the instance');
    deps.onHost(error);
    return 'unknown';
  }
}

/** Before anything starts it again. That it cannot be told how it ended holds nothing up. */
async function lookAtEnd({ host, logger }: AssignedDeps, seen: Seen, signal: AbortSignal): Promise<Seen> {
  if (seen === 'unknown' || seen === 'absent') return seen;
  try {
    return { ...seen, end: await host.getLastEnd(seen.name, signal) };
  } catch (error) {
    if (signal.aborted) throw error;
    logger.debug({ instance: seen.name, error: messageOf(error) }, 'cannot learn how the instance ended');
    return seen;
  }
}

function isEndNoted(before: ContainerRecord, record: ContainerRecord): boolean {
  return before.history.endedAtMs === undefined && record.history.endedAtMs !== undefined;
}

function tellEnd(deps: AssignedDeps, container: Container, record: ContainerRecord): void {
  deps.metrics.count('hostler_agent_container_ends_total');
  const how = record.history.end?.message ?? '';
  deps.logger.info({ container: keyOf(container), how }, 'container ended by itself');
  recordEvent(deps, container, ['Warning', 'Died'], `The container ended by itself: ${how}`);
}

/** Carries a step out and remembers when it fails: the plan then holds it back for a while. */
async function attempt(
  deps: AssignedDeps,
  facts: ContainerFacts,
  { step, isPatient }: { step: Action; isPatient: boolean },
  signal: AbortSignal,
): Promise<Outcome> {
  const { container, cause } = facts;
  const key = keyOf(container);
  const startMs = deps.clock.monotonicMs();
  let outcome: Outcome = 'failed';
  const actionDone = deps.hostWatch.actionBegins(key);
  try {
    await showing(deps, facts, step, () => carryOut(deps, facts, step, signal));
    outcome = 'done';
    deps.failures.clear(key, step.do);
    deps.logger.info({ container: key, step: step.do }, 'step done');
  } catch (error) {
    if (signal.aborted) throw error;
    // The API's word about our own write, not the host's about the step.
    if (step.do === 'release' || hasCode(error, 'Aborted')) throw error;
    if (isPatient && (step.do === 'delete' || step.do === 'start') && hasCode(error, 'Conflict'))
      return (outcome = 'overtaken');
    const reason = failureReason(step, error);
    const message = messageOf(error);
    deps.failures.note(key, { step: step.do, reason, message, cause });
    deps.logger.warn({ container: key, step: step.do, error: message }, 'step failed');
    recordEvent(deps, container, ['Warning', reason], message);
  } finally {
    actionDone();
    const seconds = (deps.clock.monotonicMs() - startMs) / 1_000;
    deps.metrics.count('hostler_agent_actions_total', { action: step.do, outcome });
    deps.metrics.observeSeconds('hostler_agent_action_duration_seconds', seconds, { action: step.do });
  }
  return outcome;
}

/** Runs `run`; if that takes long, says meanwhile what goes on. */
async function showing(
  { clock, statuses }: AssignedDeps,
  facts: ContainerFacts,
  step: Step,
  run: () => Promise<void>,
): Promise<void> {
  const timer = clock.schedule(SHOW_AFTER_MS, () => say(statuses, facts, step));
  try {
    await run();
  } finally {
    timer.cancel();
  }
}

/** Nothing more to do now: says what was seen, and when to look again. */
function finish(deps: AssignedDeps, facts: ContainerFacts, step: Step): ReconcileResult {
  const { container, seen } = facts;
  trackAddresses(deps, facts);
  if (step.do === 'wait' && step.reason === 'BackOff') {
    recordEvent(deps, container, ['Warning', 'BackOff'], step.message);
  }
  const nowMs = deps.clock.monotonicMs();
  const awayMs = nowMs - (deps.hostAwaySinceMs() ?? nowMs);
  if (seen !== 'unknown' || awayMs >= AWAY_GRACE_MS) say(deps.statuses, facts, step);
  return step.do === 'wait' && step.afterMs !== undefined ? { requeueAfterMs: step.afterMs } : {};
}

/** Not from what is on disk from before the agent's start, and not about what is none of its business any more. */
function say(statuses: StatusWriter, facts: ContainerFacts, step: Step): void {
  const { deletionTimestamp, finalizers } = facts.container.metadata;
  const isReleased = deletionTimestamp !== undefined && finalizers?.includes(HOST_FINALIZER) !== true;
  if (facts.source === 'api' && !isReleased) statuses.say(facts, step);
}

function trackAddresses({ addresses, defaultNetwork }: AssignedDeps, facts: ContainerFacts): void {
  const { container, seen, source } = facts;
  const key = keyOf(container);
  // The disk does not remember addresses: known ones would be forgotten over it.
  if (seen === 'unknown' || source === 'disk') return;
  const { networks } = container.spec;
  const hasNetwork = networks === undefined ? defaultNetwork !== undefined : networks.length > 0;
  if (seen === 'absent' || seen.status !== 'Running' || !hasNetwork) return addresses.drop(key);
  addresses.track(key, {
    instance: seen.name,
    startedAt: seen.lastStartedAt ?? '',
    known: container.status?.addresses ?? [],
  });
}
