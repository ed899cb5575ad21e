import type { Container } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import { type Disruptions, isPassingPhase } from './budgets.ts';
import type { MoveLimits } from './limits.ts';
import { unmovable, type Why } from './movable.ts';
import type { ActiveMoves } from './moves.ts';
import type { Room } from './room.ts';

/** What every decision about a move looks at; what is decided counts at once (`commit`). */
export interface RelocationFacts {
  moves: ActiveMoves;
  limits: MoveLimits;
  disruptions: Disruptions;
  room: Room;
  /** The last attempt, when it failed. */
  failureOf(container: Container): FailedMove | undefined;
}

export interface FailedMove {
  attempts: number;
  message: string;
  /** Milliseconds until the next attempt; 0 and less: it is due. */
  retryAfterMs: number;
}

export type Verdict =
  | { is: 'go'; target: string }
  /** It moves already. */
  | { is: 'moving' }
  /** Something that goes on holds it back, and its end is heard of. */
  | ({ is: 'waiting' } & Why)
  /** Nothing that goes on will change it. `afterMs`: look again then. */
  | ({ is: 'blocked'; afterMs?: number } & Why);

/** It passes, so nothing is stopped for it, and nothing that is off counts as dealt with. */
export const NOT_READY = 'NodeNotReady';
const FAILURE_BASE_MS = 15_000;
const FAILURE_MAX_MS = 600_000;

/** How long the next attempt waits after so many that failed (>= 1): doubling. */
export function moveBackoffMs(attempts: number): number {
  return Math.min(FAILURE_MAX_MS, FAILURE_BASE_MS * 2 ** Math.min(attempts - 1, 10));
}

/**
 * Whether `container`, which is placed on a node that can be reached, may be moved now. Pure; changes nothing.
 * @param pin where to; default: wherever placement would put it
 */
export function judgeMove(container: Container, facts: RelocationFacts, pin?: string): Verdict {
  if (facts.moves.has(keyOf(container))) return { is: 'moving' };
  const fixed = unmovable(container, facts.room.facts.pools);
  if (fixed !== undefined) return { is: 'blocked', ...fixed };
  return unsettled(container) ?? judgeTurn(container, facts, pin);
}

/** Counts the move, so that the next decision knows of it. */
export function commitMove(container: Container, target: string, facts: RelocationFacts): void {
  facts.limits.take({ source: container.status?.nodeName ?? '', target });
  facts.disruptions.take(container);
  facts.room.take(container, target);
}

/** Only what runs, or is off, is in a state that can be copied. */
function unsettled({ metadata, status }: Container): Verdict | undefined {
  const phase = status?.phase;
  if (metadata.deletionTimestamp !== undefined) {
    return { is: 'waiting', reason: 'Terminating', message: 'It is being deleted' };
  }
  if (phase === 'Running' || phase === 'Stopped') return undefined;
  const message = `It is ${phase ?? 'not known'}; only what is Running or Stopped moves`;
  return { is: isPassingPhase(phase) ? 'waiting' : 'blocked', reason: 'NotSettled', message };
}

function judgeTurn(container: Container, facts: RelocationFacts, pin: string | undefined): Verdict {
  const { limits, disruptions, room } = facts;
  const { nodeName: source = '' } = container.status ?? {};
  // Its migration would be refused: a node that is back renews its lease before it says that its daemon answers.
  if (room.facts.nodes.get(source)?.isReady !== true) {
    const message = `Node ${source} is not ready; nothing can leave it before it is`;
    return { is: 'blocked', reason: NOT_READY, message };
  }
  const failure = facts.failureOf(container);
  if (failure !== undefined && failure.retryAfterMs > 0) {
    const { attempts, message, retryAfterMs } = failure;
    const times = attempts === 1 ? 'once' : `${attempts} times`;
    const told = `Its migration failed ${times}: ${message}`;
    return { is: 'blocked', reason: 'MigrationFailed', message: told, afterMs: retryAfterMs };
  }
  if (!limits.mayLeave(source)) {
    return { is: 'waiting', reason: 'MigrationLimit', message: 'As many migrations go on as may' };
  }
  const refusal = disruptions.refusal(container);
  if (refusal !== undefined) {
    const { isPassing, message } = refusal;
    return { is: isPassing ? 'waiting' : 'blocked', reason: 'DisruptionBudget', message };
  }
  const found = room.find(container, pin);
  if (found.fits) return { is: 'go', target: found.node };
  return found.isPassing
    ? { is: 'waiting', reason: 'MigrationLimit', message: found.message }
    : { is: 'blocked', reason: 'Unschedulable', message: found.message };
}
