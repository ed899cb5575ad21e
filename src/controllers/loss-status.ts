import { setCondition } from '../crds/conditions.ts';
import type { Container, ContainerStatus } from '../crds/container.ts';
import type { Loss } from '../plan/failover/loss.ts';

/**
 * The status of a container whose node is not heard of: all as it was last told, but for the phase and what is said of
 * Ready. The agent replaces both once it is back.
 */
export function lossStatus(container: Container, loss: Loss, now: string): ContainerStatus {
  const { generation } = container.metadata;
  const conditions = setCondition(
    container.status?.conditions,
    {
      type: 'Ready',
      status: loss.isStopped ? 'False' : 'Unknown',
      reason: loss.reason,
      message: loss.message,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    },
    now,
  );
  const phase = loss.reason === 'NodeUnreachable' ? {} : ({ phase: 'Lost' } as const);
  return { ...container.status, ...phase, conditions };
}
