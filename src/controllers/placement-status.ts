import { findCondition, setCondition } from '../crds/conditions.ts';
import type { Container, ContainerStatus, FailoverPolicy } from '../crds/container.ts';

/** The status of a container that nothing can be done for yet. The very same status, when all of it is said already. */
export function pendingStatus(
  container: Container,
  why: { reason: string; message: string },
  now: string,
): ContainerStatus {
  const { generation } = container.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const scheduled = { type: 'Scheduled', status: 'False', ...why, ...observed } as const;
  const ready = {
    type: 'Ready',
    status: 'False',
    reason: 'NotScheduled',
    message: 'No node runs it yet',
    ...observed,
  } as const;
  const conditions = setCondition(container.status?.conditions, scheduled, now);
  return {
    ...container.status,
    ...observed,
    phase: 'Pending',
    conditions: setCondition(conditions, ready, now),
  };
}

/** Where a container goes, and under what. */
export interface Placement {
  node: string;
  /** The present term of the node's lease. */
  term: number;
  /** What node and leader agree on from now on, see plan/failover/eligibility.ts. */
  failover: FailoverPolicy;
  /** The node that it was lost on, if that is why it is placed. */
  lostFrom?: string;
  /** Of the condition Scheduled. Default: that it was placed. */
  why?: { reason: string; message: string };
}

/** The status that makes a node the one that may run the container, under a new epoch. */
export function placedStatus(
  container: Container,
  { node, term, failover, lostFrom, why = { reason: 'Scheduled', message: `Placed on ${node}` } }: Placement,
  now: string,
): ContainerStatus {
  const { generation } = container.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const conditions = setCondition(
    container.status?.conditions,
    { type: 'Scheduled', status: 'True', ...why, ...observed },
    now,
  );
  // Of another host.
  const {
    startedAt: _startedAt,
    addresses: _addresses,
    lostFrom: _lostFrom,
    migration: _migration,
    stoppedFor: _stoppedFor,
    ...kept
  } = container.status ?? {};
  return {
    ...kept,
    ...observed,
    phase: 'Scheduled',
    nodeName: node,
    epoch: (container.status?.epoch ?? 0) + 1,
    term,
    failover,
    ...(lostFrom === undefined ? {} : { lostFrom }),
    conditions: setCondition(
      conditions,
      {
        type: 'Ready',
        status: 'False',
        reason: 'Scheduled',
        message: `Waits for the agent of ${node}`,
        ...observed,
      },
      now,
    ),
  };
}

/** Whether the container says this of itself already, so that no second Event is due. */
export function isSaid(
  container: Container,
  { reason, message }: { reason: string; message: string },
): boolean {
  const old = findCondition(container.status?.conditions, 'Scheduled');
  return old?.status === 'False' && old.reason === reason && old.message === message;
}
