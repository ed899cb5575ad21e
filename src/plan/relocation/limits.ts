import type { MigrationLimitsPolicy } from '../../crds/rebalance.ts';
import type { ActiveMove } from './moves.ts';

/** How many migrations may go on at once: spec.migration of the ClusterPolicy. One counts until its target may run the container. */
export interface MoveLimits {
  /** Whether one more may leave `node`, as far as that and the cluster go. */
  mayLeave(node: string): boolean;
  mayEnter(node: string): boolean;
  /** Counts one more from now on. */
  take(move: ActiveMove): void;
}

export const DEFAULT_LIMITS = { outgoingPerNode: 2, incomingPerNode: 2, cluster: 20 } as const;

/** @param active those that go on now */
export function createMoveLimits(
  policy: MigrationLimitsPolicy | undefined,
  active: Iterable<ActiveMove>,
): MoveLimits {
  const limits = { ...DEFAULT_LIMITS, ...policy };
  const leaving = new Map<string, number>();
  const entering = new Map<string, number>();
  let all = 0;
  const take = ({ source, target }: ActiveMove): void => {
    all += 1;
    leaving.set(source, (leaving.get(source) ?? 0) + 1);
    if (target !== undefined) entering.set(target, (entering.get(target) ?? 0) + 1);
  };
  for (const move of active) if (move.hasArrived !== true) take(move);
  return {
    mayLeave: (node) => all < limits.cluster && (leaving.get(node) ?? 0) < limits.outgoingPerNode,
    mayEnter: (node) => (entering.get(node) ?? 0) < limits.incomingPerNode,
    take,
  };
}
