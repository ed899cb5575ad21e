import type { Container } from '../../crds/container.ts';
import type { BlockedContainer, DrainOptions } from '../../crds/maintenance.ts';
import { keyOf } from '../../crds/object.ts';
import { inRecoveryOrder } from '../failover/recovery-order.ts';
import { commitMove, judgeMove, NOT_READY, type RelocationFacts, type Verdict } from '../relocation/judge.ts';

/**
 * What a node in maintenance does next with its containers. Level-based: every round looks at all of them anew, so a leader
 * that knows nothing from before goes on where the last one stopped, and a drain that is taken back leaves nothing behind.
 */
export interface DrainFacts extends RelocationFacts {
  node: string;
  /** Whether its agent is heard of. What is on a node that is lost is the failover's. */
  isReachable: boolean;
  options: DrainOptions;
  /** Those that are placed on it. */
  here: readonly Container[];
  /** Those that were drained from it, and are placed elsewhere. */
  away: readonly Container[];
}

export interface Relocation {
  container: Container;
  target: string;
}

/** How many of the containers are how far. */
export interface DrainCounts {
  total: number;
  moved: number;
  moving: number;
  waiting: number;
  stopped: number;
  blocked: BlockedContainer[];
}

export interface DrainPlan {
  moves: Relocation[];
  /** To be stopped here until the maintenance ends. */
  stops: Container[];
  /** Stopped for the maintenance, and not to be any more. */
  starts: Container[];
  counts: DrainCounts;
  /** Milliseconds until something may change by itself. */
  afterMs: number | undefined;
}

/** So often a migration may fail before it counts as a container that cannot move. */
const PATIENT_ATTEMPTS = 3;
/** Where nothing but room or neighbours is missing. */
const LOOK_AGAIN_MS = 5_000;

export function planDrain(facts: DrainFacts): DrainPlan {
  const plan = emptyPlan();
  const { counts } = plan;
  for (const container of facts.away) {
    if (facts.moves.get(keyOf(container))?.source === facts.node) counts.moving += 1;
    else counts.moved += 1;
  }
  for (const container of inRecoveryOrder(facts.here)) decide(container, facts, plan);
  counts.total = counts.moved + counts.moving + counts.waiting + counts.stopped + counts.blocked.length;
  return plan;
}

/** Whether none runs here any more, and none that moves has left a copy. */
export function isDrained({ moving, waiting, blocked }: DrainCounts): boolean {
  return moving === 0 && waiting === 0 && blocked.length === 0;
}

export function emptyPlan(): DrainPlan {
  const counts = { total: 0, moved: 0, moving: 0, waiting: 0, stopped: 0, blocked: [] };
  return { moves: [], stops: [], starts: [], counts, afterMs: undefined };
}

/** Puts what was decided about one container into the plan; `go` counts at once for those that come after. */
export function note(container: Container, verdict: Verdict, facts: RelocationFacts, plan: DrainPlan): void {
  const { counts } = plan;
  switch (verdict.is) {
    case 'go':
      commitMove(container, verdict.target, facts);
      plan.moves.push({ container, target: verdict.target });
      counts.moving += 1;
      break;
    case 'moving':
      counts.moving += 1;
      break;
    case 'waiting':
      counts.waiting += 1;
      lookAgain(plan, LOOK_AGAIN_MS);
      break;
    default:
      counts.blocked.push({
        container: keyOf(container),
        reason: verdict.reason,
        message: verdict.message,
      });
      lookAgain(plan, verdict.afterMs ?? LOOK_AGAIN_MS);
  }
}

function decide(container: Container, facts: DrainFacts, plan: DrainPlan): void {
  const { counts } = plan;
  if (!facts.isReachable) {
    const message = `Nothing is heard of ${facts.node}; what may run elsewhere is recovered once it is fenced`;
    note(container, { is: 'blocked', reason: 'NodeUnreachable', message }, facts, plan);
    return;
  }
  if (container.status?.stoppedFor !== undefined && facts.options.unmovable !== 'Stop') {
    plan.starts.push(container);
  }
  const verdict = judgeMove(container, facts);
  if (verdict.is !== 'blocked') return note(container, verdict, facts, plan);
  if (isOff(container) && verdict.reason !== NOT_READY) {
    counts.stopped += 1;
    return;
  }
  if (facts.options.unmovable !== 'Stop' || !isLasting(verdict, container, facts)) {
    return note(container, verdict, facts, plan);
  }
  stop(container, facts, plan);
}

/** Stopping takes it away as a move does, and for longer. */
function stop(container: Container, facts: DrainFacts, plan: DrainPlan): void {
  if (container.status?.stoppedFor === undefined) {
    const refusal = facts.disruptions.refusal(container);
    if (refusal !== undefined) {
      const { isPassing, message } = refusal;
      const is = isPassing ? 'waiting' : 'blocked';
      return note(container, { is, reason: 'DisruptionBudget', message }, facts, plan);
    }
    facts.disruptions.take(container);
    plan.stops.push(container);
  }
  plan.counts.waiting += 1;
}

function isOff({ spec, status }: Container): boolean {
  return status?.phase === 'Stopped' && (spec.power === 'Stopped' || status.stoppedFor !== undefined);
}

/** Budgets are never broken, and a migration that failed is tried again first. */
function isLasting({ reason }: { reason: string }, container: Container, facts: DrainFacts): boolean {
  if (reason === 'DisruptionBudget' || reason === NOT_READY) return false;
  if (reason !== 'MigrationFailed') return true;
  return (facts.failureOf(container)?.attempts ?? 0) >= PATIENT_ATTEMPTS;
}

function lookAgain(plan: DrainPlan, afterMs: number): void {
  plan.afterMs = Math.min(plan.afterMs ?? afterMs, afterMs);
}
