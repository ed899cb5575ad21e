import type { Container } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import { inRecoveryOrder } from '../failover/recovery-order.ts';
import { judgeMove } from '../relocation/judge.ts';
import { type DrainFacts, type DrainPlan, emptyPlan, note } from './drain.ts';

export interface RestorePlan extends DrainPlan {
  /** They are back, or are not to come back: where they came from need not be remembered. */
  forgets: Container[];
}

/**
 * What comes after the maintenance of a node: what was stopped for it is started, and what was moved away comes back, unless
 * that is to be skipped.
 * @param remembered all containers that were drained from it, wherever they are
 * @param before how many it was about in the last round; 0: this is the first
 */
export function planRestore(
  facts: Omit<DrainFacts, 'away'> & { remembered: readonly Container[] },
  before: number,
): RestorePlan {
  const { node, here, remembered, options, moves } = facts;
  const plan: RestorePlan = { ...emptyPlan(), forgets: [] };
  plan.starts.push(...here.filter(({ status }) => status?.stoppedFor !== undefined));
  for (const container of inRecoveryOrder(remembered)) {
    const isMoving = moves.has(keyOf(container));
    if (isMoving) plan.counts.moving += 1;
    else if (options.restore === 'Skip' || container.status?.nodeName === node) plan.forgets.push(container);
    else bringBack(container, facts, plan);
  }
  const { counts } = plan;
  const left = counts.moving + counts.waiting + counts.blocked.length;
  counts.total = Math.max(before, left);
  counts.moved = options.restore === 'Skip' ? 0 : counts.total - left;
  return plan;
}

/** Whether there is nothing left to be brought back, started or forgotten. */
export function isRestored({ counts, forgets, starts }: RestorePlan): boolean {
  const { moving, waiting, blocked } = counts;
  return moving + waiting + blocked.length + forgets.length + starts.length === 0;
}

function bringBack(container: Container, facts: Omit<DrainFacts, 'away'>, plan: DrainPlan): void {
  const { node, isReachable } = facts;
  if (isReachable) return note(container, judgeMove(container, facts, node), facts, plan);
  note(
    container,
    { is: 'blocked', reason: 'NodeUnreachable', message: `Nothing is heard of ${node}` },
    facts,
    plan,
  );
}
