import { type ConditionUpdate, setCondition } from '../../crds/conditions.ts';
import {
  type Container,
  type ContainerPhase,
  type ContainerStatus,
  instanceNameOf,
} from '../../crds/container.ts';
import { type ContainerFacts, configNotAllowedMessage, isBehind, type Step } from './container.ts';
import { MOVING_MESSAGE } from './moving.ts';
import { isToRun } from './power.ts';
import type { SeenInstance } from './record.ts';
import type { End } from './restart.ts';

/** What else the agent knows for the status. */
export interface StatusExtras {
  /** Global addresses; looked at only while the container runs. */
  addresses: readonly string[];
  /** RFC 3339, for conditions. */
  now: string;
}

interface Verdict {
  phase: ContainerPhase;
  ready: Omit<ConditionUpdate, 'type' | 'observedGeneration'>;
}

/**
 * The status that the agent writes: its own fields only, all others as they are. Deterministic apart from times, so that
 * a second look at the same state writes nothing.
 * @param step what `planContainer` said about the same facts; it is what goes on now
 */
export function containerStatus(facts: ContainerFacts, step: Step, extras: StatusExtras): ContainerStatus {
  const { container, seen, record } = facts;
  const { metadata } = container;
  const old = container.status ?? {};
  const { phase, ready } = verdictOf(facts, step);
  const instance = typeof seen === 'object' ? seen : undefined;
  const isRunning = seen === 'unknown' ? old.phase === 'Running' : instance?.status === 'Running';
  const generation = metadata.generation === undefined ? {} : { observedGeneration: metadata.generation };
  let conditions = setCondition(old.conditions, { type: 'Ready', ...ready, ...generation }, extras.now);
  const restart = restartCondition(facts);
  if (restart) conditions = setCondition(conditions, { ...restart, ...generation }, extras.now);
  const { startedAt: _startedAt, addresses: _addresses, ...kept } = old;
  const startedAt = isRunning ? (record.startedAt ?? old.startedAt) : undefined;
  const fingerprint = instance?.imageFingerprint ?? old.imageFingerprint;
  return {
    ...kept,
    ...generation,
    phase,
    restarts: record.restarts,
    ...(record.lastRestart === undefined ? {} : { lastRestart: record.lastRestart }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(isRunning && extras.addresses.length > 0 ? { addresses: [...extras.addresses] } : {}),
    instanceName: instanceNameOf(container),
    ...(fingerprint === undefined ? {} : { imageFingerprint: fingerprint }),
    conditions,
  };
}

function verdictOf(facts: ContainerFacts, step: Step): Verdict {
  const { seen, container } = facts;
  if (seen === 'unknown') {
    return {
      phase: container.status?.phase ?? 'Scheduled',
      ready: { status: 'Unknown', reason: 'HostUnavailable', message: "The host's daemon does not answer" },
    };
  }
  if (container.metadata.deletionTimestamp !== undefined) return terminating(step);
  switch (step.do) {
    case 'create':
      return going('Creating', 'Creating', 'The instance is being created');
    case 'start':
      return going('Starting', 'Starting', 'The instance is being started');
    case 'accept':
    case 'drop':
      return going('Migrating', 'Migrating', MOVING_MESSAGE);
    case 'stop':
      if (step.because === 'Migrating') return going('Migrating', 'Migrating', MOVING_MESSAGE);
      return step.because === 'Restarting'
        ? going('Stopping', 'Restarting', 'The instance is restarted, as was asked for')
        : going('Stopping', 'Stopping', 'The instance is being stopped');
    case 'wait':
      return waiting(facts, step);
    default:
      return typeof seen === 'object' && seen.mark?.uid === container.metadata.uid
        ? settled(facts, seen)
        : going('Creating', 'Creating', 'There is no instance yet');
  }
}

function terminating(step: Step): Verdict {
  const message = step.do === 'wait' ? step.message : 'The container is being removed from its host';
  const reason = step.do === 'wait' ? step.reason : 'Terminating';
  return going('Terminating', reason, message);
}

function waiting({ seen, container }: ContainerFacts, step: Extract<Step, { do: 'wait' }>): Verdict {
  const isOurs = typeof seen === 'object' && seen.mark?.uid === container.metadata.uid;
  // What runs here and was not accepted yet does not count as arrived: the source's copy goes when it does.
  const isIncoming = typeof seen === 'object' && seen.incoming !== undefined;
  if (isIncoming || step.reason === 'Migrating') return going('Migrating', step.reason, step.message);
  if (step.reason === 'Busy') return going(container.status?.phase ?? 'Starting', 'Busy', step.message);
  if (isOurs && seen.status === 'Running') return going('Running', step.reason, step.message);
  return going('Failed', step.reason, step.message);
}

/** Nothing is left to do, or nothing but an update of what runs. */
function settled(facts: ContainerFacts, seen: SeenInstance): Verdict {
  const { container, forbiddenConfig, record } = facts;
  if (seen.status === 'Frozen') return going('Running', 'Frozen', 'The instance was frozen on its host');
  if (seen.status !== 'Running') return down(container, record.history.end);
  if (forbiddenConfig.length > 0) {
    return going('Running', 'ConfigNotAllowed', configNotAllowedMessage(forbiddenConfig));
  }
  if (isBehind(container, seen))
    return going('Running', 'Updating', 'Its settings are being brought up to date');
  return { phase: 'Running', ready: { status: 'True', reason: 'Running', message: '' } };
}

function down(container: Container, end: End | undefined): Verdict {
  if (container.spec.power === 'Stopped') return going('Stopped', 'PoweredOff', 'spec.power is Stopped');
  if (!isToRun(container)) {
    return going('Stopped', 'Maintenance', 'It cannot move, and the maintenance of its node keeps it off');
  }
  const how = end?.message ?? 'How it ended is not known';
  const message = `It ended by itself, and spec.restart.policy does not restart it: ${how}`;
  return end?.kind === 'error' ? going('Failed', 'Error', message) : going('Stopped', 'Ended', message);
}

function going(phase: ContainerPhase, reason: string, message: string): Verdict {
  return { phase, ready: { status: 'False', reason, message } };
}

/** Shown from the first setting that needs a restart on; `False` once it has been restarted. */
function restartCondition({ record, container }: ContainerFacts): ConditionUpdate | undefined {
  if (record.restartRequired.length > 0) {
    const message = `These settings hold from the next start on: ${record.restartRequired.join(', ')}`;
    return { type: 'RestartRequired', status: 'True', reason: 'SettingsChanged', message };
  }
  const isShown = container.status?.conditions?.some(({ type }) => type === 'RestartRequired') === true;
  return isShown ? { type: 'RestartRequired', status: 'False', reason: 'UpToDate', message: '' } : undefined;
}
