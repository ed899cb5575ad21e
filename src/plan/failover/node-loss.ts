import type { Container } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import { planPlacement } from '../scheduling/placement.ts';
import type { SchedulingFacts } from '../scheduling/facts.ts';
import { failoverOf, isGuarded } from './eligibility.ts';
import { inRecoveryOrder } from './recovery-order.ts';

/** What becomes of one container of a lost node. */
export type Fate =
  | { does: 'move'; target: string; how: 'Recover' | 'Recreate' }
  /** Nothing fits now. */
  | { does: 'wait'; message: string }
  /** It waits for its host. */
  | { does: 'stay'; reason: string };

/**
 * Where a container of a lost node goes: the placement's own filters and scores, without counting what it takes where it
 * is. A target is counted at once (`facts.assume`), so that decisions in a row never promise the same room.
 * @param container placed on a node that the filters refuse
 */
export function planMove(
  container: Container,
  facts: SchedulingFacts,
): Extract<Fate, { does: 'move' | 'wait' }> {
  facts.removeContainer(keyOf(container));
  const decision = planPlacement(container, facts);
  if (!decision.fits) {
    facts.setContainer(container);
    return { does: 'wait', message: decision.message };
  }
  facts.assume(container, decision.node);
  const { how } = failoverOf(container, facts.pools);
  return { does: 'move', target: decision.node, how: how === 'Recover' ? 'Recover' : 'Recreate' };
}

/**
 * What the loss of `node` would do, in the order in which it would be done. Changes `facts`: give it some of its own.
 * @param containers those that are placed on it
 */
export function planNodeLoss(
  node: string,
  containers: readonly Container[],
  facts: SchedulingFacts,
): { container: Container; fate: Fate }[] {
  facts.removeNode(node);
  return inRecoveryOrder(containers).map((container) => {
    const failover = failoverOf(container, facts.pools);
    if (container.metadata.deletionTimestamp !== undefined) {
      return { container, fate: { does: 'stay', reason: 'it is being deleted' } };
    }
    if (failover.eligible && isGuarded(container)) return { container, fate: planMove(container, facts) };
    const reason = failover.reason ?? 'node and leader have not agreed on its failover policy yet';
    return { container, fate: { does: 'stay', reason } };
  });
}
