import type { Container } from '../../crds/container.ts';
import { keepsCopy } from '../migration/claim.ts';
import type { ClusterVerdict } from './cluster.ts';

/** An instance that carries our mark, but whose Container is not among those assigned to this node. */
export interface OrphanFacts {
  mark: { uid: string; epoch: number };
  /** uid of the migration that it is an incoming copy of. */
  incoming?: string;
  nodeName: string;
  /** The highest epoch seen for the instance's Container. */
  highestEpoch: number;
  /**
   * The Container of that name in a fresh, consistent read of the API that has *succeeded*; undefined: there is none.
   * A read that failed proves nothing, and must not get here.
   */
  container: Container | undefined;
  /** About the very store that this read came from. */
  cluster: ClusterVerdict;
}

export type OrphanDecision =
  /** `Deleted`: its Container is gone; `Reassigned`: it belongs to another node now. */
  | { do: 'remove'; reason: 'Deleted' | 'Reassigned' }
  /**
   * `Assigned`: it is ours, our own view was behind; `Unplaced`: no node has been chosen, which proves nothing;
   * `Migrating`: its migration wants it here; `StaleEpoch`: the read is older than what was seen before; else the store itself proves nothing.
   */
  | {
      do: 'keep';
      reason: 'Assigned' | 'Migrating' | 'Unplaced' | 'StaleEpoch' | 'ForeignCluster' | 'StoreWentBack';
    };

/** Decides whether an instance may be stopped and deleted. Everything that is not proof keeps it. */
export function planOrphan({
  mark,
  incoming,
  nodeName,
  highestEpoch,
  container,
  cluster,
}: OrphanFacts): OrphanDecision {
  if (!cluster.isTrusted) return { do: 'keep', reason: cluster.reason };
  if (container === undefined || container.metadata.uid !== mark.uid) {
    return { do: 'remove', reason: 'Deleted' };
  }
  const { nodeName: assigned = '', epoch = 0 } = container.status ?? {};
  if (epoch < Math.max(highestEpoch, mark.epoch)) return { do: 'keep', reason: 'StaleEpoch' };
  if (assigned === '') return { do: 'keep', reason: 'Unplaced' };
  if (assigned === nodeName) return { do: 'keep', reason: 'Assigned' };
  if (keepsCopy(container, nodeName, incoming)) return { do: 'keep', reason: 'Migrating' };
  return { do: 'remove', reason: 'Reassigned' };
}
