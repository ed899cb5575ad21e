import type { MigrationLimitsPolicy } from '../../crds/rebalance.ts';
import type { ActiveMove, MovePart } from './moves.ts';

/**
 * How many migrations may go on at once: spec.migration of the ClusterPolicy. So many containers are copied, and twice as many
 * more are stopped for their last pass: most of that is waiting for them to stop, in which others can be copied. What has arrived counts
 * no more.
 */
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
  const all = new Counts();
  const leaving = new Counts();
  const entering = new Counts();
  const take = ({ source, target, part = 'Copying' }: ActiveMove): void => {
    all.take(ALL, part);
    leaving.take(source, part);
    if (target !== undefined) entering.take(target, part);
  };
  for (const move of active) take(move);
  return {
    mayLeave: (node) => all.hasRoom(ALL, limits.cluster) && leaving.hasRoom(node, limits.outgoingPerNode),
    mayEnter: (node) => entering.hasRoom(node, limits.incomingPerNode),
    take,
  };
}

/** Of those that are stopped for their last pass, for each that may be copied. */
export const SWITCHING_PER_COPY = 2;
const ALL = '';

class Counts {
  readonly #of = { Copying: new Map<string, number>(), Switching: new Map<string, number>() };

  take(name: string, part: MovePart): void {
    if (part === 'Arrived') return;
    const counts = this.#of[part];
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }

  /** Those that switch over beyond their number count like those that are copied. */
  hasRoom(name: string, limit: number): boolean {
    const { Copying, Switching } = this.#of;
    const beyond = (Switching.get(name) ?? 0) - SWITCHING_PER_COPY * limit;
    return (Copying.get(name) ?? 0) + Math.max(0, beyond) < limit;
  }
}
