import type { Container, ContainerStatus } from '../../crds/container.ts';
import { isToRun } from './power.ts';
import { type End, type RestartHistory, restartRulesOf, restartsInARow } from './restart.ts';

/** No daemon takes longer to clear up after an end. */
const ENDING_MS = 10_000;

/** A run that began longer ago is no young one, whenever it is first seen. */
const LASTING_MS = 60_000;

/** Any new value asks for one clean restart, as `kubectl rollout restart` does for a Deployment. */
export const RESTARTED_AT_ANNOTATION = 'hostler.dev/restartedAt';

/** What a host's daemon says about one instance. */
export interface SeenInstance {
  name: string;
  /** Absent: not one of ours. */
  mark?: { uid: string; epoch: number; generation: number };
  /** Its root is on shared storage: it is forgotten, never deleted. */
  isRootShared?: true;
  /** It is the incoming copy of the Migration with this uid. */
  incoming?: string;
  status: 'Running' | 'Stopped' | 'Frozen' | 'Freezing' | 'Error' | 'Busy';
  imageFingerprint?: string;
  /** RFC 3339, as the daemon says; absent if it never was. */
  lastStartedAt?: string;
  /** The same in wall-clock milliseconds. */
  lastStartedAtMs?: number;
  /** How it ended; looked at only where `isNewEnd` says so. */
  end?: End;
}

/** Wall-clock time, twice: for reckoning, and as RFC 3339. */
export interface Now {
  ms: number;
  iso: string;
}

/** What was observed of an instance. `unknown` is not `absent`: a daemon that does not answer proves nothing. */
export type Seen = 'unknown' | 'absent' | SeenInstance;

/**
 * What an agent remembers of one Container beyond what API and daemon can tell, on disk, so that restarts are counted
 * and go on after its own restart, with or without the API.
 */
export interface ContainerRecord {
  /** What the agent last brought the instance to; `Running` makes a stopped one an end that nobody asked for. */
  power: 'New' | 'Running' | 'Stopped';
  restarts: number;
  lastRestart?: NonNullable<ContainerStatus['lastRestart']>;
  history: RestartHistory;
  /** `lastStartedAt` of the run that is known. */
  startedAt?: string;
  /** Value of the annotation that the present run fulfils; empty when there was none. */
  restartedAt: string;
  /** Names of the settings that take effect only at the next start. */
  restartRequired: readonly string[];
}

export function restartedAtOf(container: Pick<Container, 'metadata'>): string {
  return container.metadata.annotations?.[RESTARTED_AT_ANNOTATION] ?? '';
}

/**
 * A record for a Container that the agent has none of: a new one, or one whose record was lost with the disk. What the
 * API remembers then counts, and an annotation counts as fulfilled: adopting never restarts.
 */
export function newRecord(container: Container): ContainerRecord {
  const { phase, restarts = 0, lastRestart } = container.status ?? {};
  return {
    power: phase === 'Running' ? 'Running' : 'New',
    restarts,
    ...(lastRestart === undefined ? {} : { lastRestart }),
    history: { inARow: 0, ...endBefore(container) },
    restartedAt: restartedAtOf(container),
    restartRequired: [],
  };
}

/** What has ended for good on the node that it was moved away from is not run once more here. */
function endBefore({ status }: Container): Pick<RestartHistory, 'endedAtMs' | 'end'> {
  const { stage, ended } = status?.migration ?? {};
  if (stage !== 'Switched' || ended === undefined) return {};
  const kind = ended === 'Error' ? 'error' : 'clean';
  return { endedAtMs: 0, end: { kind, message: 'It had ended before it was moved here' } };
}

/**
 * The record after a look at the instance: notices an end that nobody asked for, counts the restart that follows it, and
 * forgets on a new run what only the old one lacked. Idempotent: the same look twice changes nothing more.
 * @returns the very same `record` when nothing is new
 */
export function observeInstance(
  record: ContainerRecord,
  { container, seen, now }: { container: Container; seen: Seen; now: Now },
): ContainerRecord {
  if (seen === 'unknown' || seen === 'absent' || seen.mark?.uid !== container.metadata.uid) return record;
  switch (seen.status) {
    case 'Running':
    case 'Frozen':
      return observeRunning(record, container, { seen, now });
    case 'Stopped':
    case 'Error':
      if (!isToRun(container)) return forgetEnd(record);
      return isNewEnd(record, { container, seen }) ? recordEnd(record, seen, now) : record;
    default:
      return record;
  }
}

/**
 * The record once the agent has started the instance: the annotation is fulfilled, every setting holds, and a restart is
 * counted here already, since the new run may be over before anybody sees it.
 */
export function recordStarted(record: ContainerRecord, container: Container, now: Now): ContainerRecord {
  const counted = record.history.endedAtMs === undefined ? record : countRestart(record, container, now);
  return { ...counted, power: 'Running', restartedAt: restartedAtOf(container), restartRequired: [] };
}

/** The record before the agent stops the instance, so that the stop is never taken for an end by itself. */
export function recordStopping(record: ContainerRecord): ContainerRecord {
  const { endedAtMs: _endedAt, end: _end, ...history } = record.history;
  return { ...record, power: 'Stopped', history };
}

/** Nobody wants it to run: that it is down is no end any more. */
function forgetEnd(record: ContainerRecord): ContainerRecord {
  const isForgotten = record.power !== 'Running' && record.history.endedAtMs === undefined;
  return isForgotten ? record : recordStopping(record);
}

/** Whether the look at the instance shows an end that nobody asked for and that the record does not have yet. */
export function isNewEnd(
  { power, history }: ContainerRecord,
  { container, seen }: { container: Container; seen: Seen },
): boolean {
  if (seen === 'unknown' || seen === 'absent' || seen.mark?.uid !== container.metadata.uid) return false;
  const isDown = seen.status === 'Stopped' || seen.status === 'Error';
  // An agent that was killed may have told the API of a start before its own disk had it.
  const hasRun = power === 'Running' || (power === 'New' && container.status?.phase === 'Running');
  const isEnd = isDown && hasRun && history.endedAtMs === undefined;
  return isEnd && isToRun(container);
}

function recordEnd(record: ContainerRecord, seen: SeenInstance, now: Now): ContainerRecord {
  const { lastStartedAt: startedAt } = seen;
  return {
    ...record,
    ...(startedAt === undefined ? {} : { startedAt }),
    history: { ...record.history, endedAtMs: now.ms, end: endOf(seen) },
  };
}

function endOf({ status, end }: SeenInstance): End {
  if (end !== undefined && end.kind !== 'unknown') return end;
  if (status === 'Error') return { kind: 'error', message: 'The daemon reported an error' };
  return end ?? { kind: 'unknown', message: 'How it ended is not known' };
}

function observeRunning(
  record: ContainerRecord,
  container: Container,
  { seen, now }: { seen: SeenInstance; now: Now },
): ContainerRecord {
  if (isEnding(record, { seen, now })) return record;
  const counted = record.history.endedAtMs === undefined ? record : countRestart(record, container, now);
  const isWanted = isToRun(container);
  const isNewRun = counted.startedAt !== seen.lastStartedAt;
  if (counted === record && !isNewRun && (record.power === 'Running' || !isWanted)) return record;
  return {
    ...counted,
    power: isWanted ? 'Running' : counted.power,
    ...(isNewRun && seen.lastStartedAt !== undefined ? { startedAt: seen.lastStartedAt } : {}),
    history: isNewRun ? historyOfRun(counted.history, seen, now) : counted.history,
    restartRequired: isNewRun ? [] : counted.restartRequired,
  };
}

function historyOfRun(
  { seenSinceMs: _seenSince, ...history }: RestartHistory,
  seen: SeenInstance,
  now: Now,
): RestartHistory {
  const startedAtMs = seen.lastStartedAtMs ?? now.ms;
  // Only what has ended before has to show that it lasts: all else would become Ready later, for nothing.
  const mustLast = history.inARow > 0 && now.ms - startedAtMs < LASTING_MS;
  return { ...history, startedAtMs, ...(mustLast ? { seenSinceMs: now.ms } : {}) };
}

/**
 * Whether what seems to run is the very run that was seen to have ended: while it clears up after an end, the daemon says
 * Stopped, Running and Stopped again.
 */
function isEnding(
  { history, startedAt }: ContainerRecord,
  { seen, now }: { seen: SeenInstance; now: Now },
): boolean {
  const sinceMs = now.ms - (history.endedAtMs ?? Number.NEGATIVE_INFINITY);
  return sinceMs < ENDING_MS && seen.lastStartedAt !== undefined && seen.lastStartedAt === startedAt;
}

function countRestart(record: ContainerRecord, container: Container, now: Now): ContainerRecord {
  const { endedAtMs: _endedAt, end, ...history } = record.history;
  const inARow = restartsInARow(record.history, restartRulesOf(container.spec).backoff) + 1;
  return {
    ...record,
    restarts: record.restarts + 1,
    lastRestart: {
      time: now.iso,
      reason: end?.kind === 'error' ? 'Error' : 'Ended',
      message: end?.message ?? 'How it ended is not known',
    },
    history: { ...history, inARow },
  };
}
