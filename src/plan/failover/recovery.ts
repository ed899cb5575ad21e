/**
 * What the leader writes about one node's containers: it moves them away while the lease is revoked, lets the node back in
 * once it has decided about each of them, and re-affirms those that stay. Each step is one write, conditional on the
 * version of the object that is named; a step that fails is simply planned again from what is seen then.
 *
 * Lease and containers reach the leader by different watches, so either may be older than the other. `term` is what makes
 * that harmless: a container is moved only when its term is not newer than the revoked one (else it was re-affirmed after
 * the revocation that is seen here), and a re-affirmation only ever raises the term.
 */

export interface LeaseFacts {
  node: string;
  /** Empty: revoked. */
  holder: string;
  term: number;
  rejoinAsked: boolean;
}

export interface PlacedContainer {
  key: string;
  nodeName: string;
  term: number;
}

export type RecoveryStep =
  | { do: 'move'; key: string; target: string }
  /** `leaseTransitions` becomes `term`. */
  | { do: 'grant'; term: number }
  | { do: 'reaffirm'; key: string; term: number };

/**
 * @param containers those that are placed on `lease.node` and may be recovered elsewhere
 * @param targetFor where a container would go; undefined: it stays (nothing fits, or it is to wait)
 */
export function planRecovery(
  lease: LeaseFacts,
  containers: readonly PlacedContainer[],
  targetFor: (container: PlacedContainer) => string | undefined,
): RecoveryStep[] {
  const revoked = lease.holder === '';
  if (!revoked) {
    return containers
      .filter(({ term }) => term < lease.term)
      .map(({ key }) => ({ do: 'reaffirm', key, term: lease.term }));
  }
  const moves: RecoveryStep[] = [];
  for (const container of containers) {
    const target = container.term > lease.term ? undefined : targetFor(container);
    if (target !== undefined && target !== lease.node) moves.push({ do: 'move', key: container.key, target });
  }
  if (moves.length > 0 || !lease.rejoinAsked) return moves;
  // Never a term that a container already carries: the lease may have been deleted and made anew.
  const term = Math.max(lease.term, ...containers.map((container) => container.term)) + 1;
  return [{ do: 'grant', term }];
}
