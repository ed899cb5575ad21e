import type { ContainerSpec } from '../../crds/container.ts';
import { parseDurationMs } from '../../crds/duration.ts';

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

export interface RestartBackoff {
  /** Wait before the second restart in a row, in milliseconds; doubles with each. */
  initialMs: number;
  maxMs: number;
  /** A run at least as long starts the count from the beginning. */
  resetAfterMs: number;
}

/** What is known of how a container ended and was started. Times are wall-clock milliseconds, for they outlive the agent. */
export interface RestartHistory {
  /** Restarts without a long run in between. */
  inARow: number;
  startedAtMs?: number;
  /** When the agent first saw the present run, if that is a restart; absent for one that had lasted by then. */
  seenSinceMs?: number;
  /** When it was seen to have ended by itself; absent while it runs, and after a stop that was asked for. */
  endedAtMs?: number;
  /** How it ended; absent while it runs, and where nobody has asked. */
  end?: End;
}

/** How a container ended: the shape of `LastEnd` in ports/host-driver. */
export interface End {
  /** `clean` only where that is known for certain. */
  kind: 'clean' | 'error' | 'unknown';
  message: string;
}

export type RestartDecision =
  | { do: 'restart' }
  /** `delayMs` is the whole back-off, `afterMs` what is left of it. */
  | { do: 'wait'; afterMs: number; delayMs: number }
  | { do: 'stay' };

const DEFAULT_BACKOFF: RestartBackoff = { initialMs: 1_000, maxMs: 300_000, resetAfterMs: 600_000 };

/** The restart policy of `spec`, in units; what is absent or not a duration has the schema's default. */
export function restartRulesOf({ restart }: Pick<ContainerSpec, 'restart'>): {
  policy: RestartPolicy;
  backoff: RestartBackoff;
} {
  const { initial, max, resetAfter } = restart?.backoff ?? {};
  return {
    policy: restart?.policy ?? 'Always',
    backoff: {
      initialMs: durationOr(initial, DEFAULT_BACKOFF.initialMs),
      maxMs: durationOr(max, DEFAULT_BACKOFF.maxMs),
      resetAfterMs: durationOr(resetAfter, DEFAULT_BACKOFF.resetAfterMs),
    },
  };
}

/**
 * Decides about a container that ended by itself. OnFailure restarts all but what is known to have ended well: a power
 * cut leaves no record, and is no reason to stay down. The first restart is at once; a clock that was set back ends the wait
 * instead of stretching it.
 * @param nowMs wall-clock milliseconds
 */
export function planRestart({
  policy,
  backoff,
  history,
  nowMs,
}: {
  policy: RestartPolicy;
  backoff: RestartBackoff;
  history: RestartHistory;
  nowMs: number;
}): RestartDecision {
  if (policy === 'Never') return { do: 'stay' };
  if (policy === 'OnFailure' && history.end?.kind === 'clean') return { do: 'stay' };
  const delayMs = backoffMs(restartsInARow(history, backoff), backoff);
  const elapsedMs = nowMs - (history.endedAtMs ?? nowMs);
  if (elapsedMs < 0 || elapsedMs >= delayMs) return { do: 'restart' };
  return { do: 'wait', afterMs: delayMs - elapsedMs, delayMs };
}

/** Restarts that count towards the back-off: none after a run of `resetAfterMs` or longer. */
export function restartsInARow(
  { inARow, startedAtMs, endedAtMs }: RestartHistory,
  { resetAfterMs }: Pick<RestartBackoff, 'resetAfterMs'>,
): number {
  if (startedAtMs === undefined || endedAtMs === undefined) return inARow;
  return endedAtMs - startedAtMs >= resetAfterMs ? 0 : inARow;
}

function backoffMs(inARow: number, { initialMs, maxMs }: RestartBackoff): number {
  return inARow === 0 ? 0 : Math.min(maxMs, initialMs * 2 ** (inARow - 1));
}

function durationOr(duration: string | undefined, defaultMs: number): number {
  return duration === undefined ? defaultMs : (parseDurationMs(duration) ?? defaultMs);
}
