import { CLUSTER_POLICY_NAME } from '../../crds/cluster-policy.ts';
import type { Container } from '../../crds/container.ts';
import type { Relocation } from '../../plan/drain/drain.ts';
import { isUnheard } from '../../plan/failover/node-conditions.ts';
import {
  type PastMove,
  planRebalance,
  type RebalanceRules,
  rebalanceRulesOf,
} from '../../plan/rebalance/rebalance.ts';
import { type Cause, CAUSE_LABEL } from '../../plan/relocation/cause.ts';
import { isFinished } from '../../plan/relocation/moves.ts';
import type { Reconcile } from '../../reconcile/controller.ts';
import type { ControllerDeps } from '../deps.ts';
import { inParallel } from '../in-parallel.ts';
import type { Relocations } from '../relocations.ts';

/**
 * One round: what the plan (plan/rebalance) finds worth a move begins now. Nothing is relieved while a node is emptied, comes
 * back from that, or is not heard of: what is crowded then is not what will be.
 */
export function rebalanceReconciler(deps: ControllerDeps, relocations: Relocations): Reconcile {
  return async (_key, signal) => {
    const policy = deps.informers.policies.cache.get(CLUSTER_POLICY_NAME)?.spec.rebalance;
    if (policy === undefined || !isCalm(deps)) return {};
    const moves = decide(deps, relocations, rebalanceRulesOf(policy));
    await inParallel(moves, (move) => {
      const cause = causeOf(move);
      const why = `node ${cause.node} is crowded`;
      return relocations.begin(move, { cause, mode: undefined, why }, signal);
    });
    return {};
  };
}

function isCalm({ informers }: ControllerDeps): boolean {
  return informers.nodes.cache
    .list()
    .every(
      (node) =>
        !isUnheard(node) &&
        node.status?.drain?.phase !== 'Draining' &&
        node.status?.drain?.phase !== 'Restoring',
    );
}

/** Decides, and counts what is decided, without a break in between. */
function decide(
  { informers }: ControllerDeps,
  relocations: Relocations,
  rules: RebalanceRules,
): readonly Relocation[] {
  const moves = planRebalance({
    ...relocations.facts({ kind: 'rebalance', node: '', generation: 0 }),
    rules,
    containers: informers.containers.cache.list(),
    recentMoves: relocations.recent('rebalance', rules.windowMs),
    historyOf: (container) => historyOf(relocations, container),
  });
  for (const move of moves) relocations.assume([move], causeOf(move));
  return moves;
}

function causeOf({ container }: Relocation): Cause {
  return { kind: 'rebalance', node: container.status?.nodeName ?? '', generation: 0 };
}

function historyOf(relocations: Relocations, container: Container): PastMove[] {
  return relocations
    .historyOf(container)
    .filter(isFinished)
    .map((migration) => ({
      source: migration.status?.source ?? '',
      sinceMs: relocations.sinceEndMs(migration),
      isRelief:
        migration.metadata.labels?.[CAUSE_LABEL] === 'rebalance' && migration.status?.phase === 'Succeeded',
    }));
}
