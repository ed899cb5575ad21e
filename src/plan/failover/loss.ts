import type { Container } from '../../crds/container.ts';
import { isGuarded } from './eligibility.ts';
import type { Failover } from './eligibility.ts';
import type { Standing, WaitReason } from './standing.ts';

/** What a container says while its node is lost. */
export interface Loss {
  /** `NodeUnreachable` is said while the node may still come back in time; then the phase stays. */
  reason: 'NodeUnreachable' | 'NotRecoverable' | 'NoCapacity' | WaitReason;
  message: string;
  /** Whether the container certainly does not run. */
  isStopped: boolean;
}

/**
 * What is to be said of a container whose node is not heard of.
 * @returns undefined when there is nothing new to say, or when it may go elsewhere now: who places it says the rest
 */
export function lossOf(
  container: Container,
  { node, standing, failover }: { node: string; standing: Standing; failover: Failover },
): Loss | undefined {
  const isMovable = failover.eligible && isGuarded(container);
  switch (standing.is) {
    case 'Waiting':
      return isMovable
        ? { reason: standing.reason, message: `Node ${node} is lost. ${standing.message}`, isStopped: false }
        : notRecoverable(node, failover);
    case 'Fenced':
      return isMovable ? undefined : notRecoverable(node, failover);
    case 'Unheard':
    case 'Fenceable':
      // What an earlier leader has found out holds.
      if (container.status?.phase === 'Lost') return undefined;
      return {
        reason: 'NodeUnreachable',
        message: `Nothing is heard of node ${node}; the container may still run there`,
        isStopped: false,
      };
    default:
      return undefined;
  }
}

function notRecoverable(node: string, failover: Failover): Loss {
  const why = failover.reason ?? 'node and leader have not agreed on its failover policy yet';
  return {
    reason: 'NotRecoverable',
    message: `Node ${node} is lost, and the container waits for it: ${why}`,
    isStopped: false,
  };
}
