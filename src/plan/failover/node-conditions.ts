import {
  type Condition,
  type ConditionUpdate,
  findCondition,
  isConditionTrue,
  setCondition,
} from '../../crds/conditions.ts';
import { FLAPPING_TAINT, NOT_READY_TAINT, UNREACHABLE_TAINT } from '../../crds/kind.ts';
import type { Node, NodeStatus, Taint } from '../../crds/node.ts';
import type { LeaseRecord } from './lease-record.ts';
import type { Standing, UnheardReason } from './standing.ts';

/**
 * What the leader says in a Node's status: `Ready=Unknown` of a node that is not heard of (True and False are the agent's
 * words), LeaseValid, Fenced, and the taints that follow from all conditions. The same standing gives the same status,
 * whoever leads; a leader that has not looked for long enough leaves what is said.
 * @param flapping whether new containers are kept away because it was lost again and again
 * @param now RFC 3339
 */
export function nodeStatus(
  node: Node,
  { standing, lease, flapping }: { standing: Standing; lease: LeaseRecord | undefined; flapping: boolean },
  now: string,
): NodeStatus {
  const { generation } = node.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  let conditions: readonly Condition[] | undefined = node.status?.conditions;
  for (const update of updates(standing, lease, conditions)) {
    const old = findCondition(conditions, update.type);
    const isSaid =
      old?.status === update.status && old.reason === update.reason && old.message === update.message;
    if (!isSaid) conditions = setCondition(conditions, { ...update, ...observed }, now);
  }
  const { taints: _, ...rest } = node.status ?? {};
  const taints = taintsOf(conditions, flapping);
  return {
    ...rest,
    ...(conditions === undefined ? {} : { conditions: [...conditions] }),
    ...(taints.length === 0 ? {} : { taints }),
  };
}

type Update = Omit<ConditionUpdate, 'observedGeneration'>;

function updates(
  standing: Standing,
  lease: LeaseRecord | undefined,
  conditions: readonly Condition[] | undefined,
): Update[] {
  switch (standing.is) {
    case 'Unproven':
    case 'Joining':
      return [];
    case 'Live':
      return [
        { type: 'LeaseValid', status: 'True', reason: 'Renewed', message: '' },
        ...(findCondition(conditions, 'Fenced') === undefined
          ? []
          : [{ type: 'Fenced', status: 'False', reason: 'Renewed', message: '' } as const]),
      ];
    case 'Unheard':
      return silent(standing.reason, lease);
    case 'Waiting':
      return [
        ...silent('LeaseExpired', lease),
        { type: 'Fenced', status: 'False', reason: standing.reason, message: standing.message },
      ];
    case 'Fenceable':
      return silent('LeaseExpired', lease);
    default:
      return fenced(standing.by, lease);
  }
}

function fenced(by: string, lease: LeaseRecord | undefined): Update[] {
  const [reason = '', ...who] = by.split(': ');
  return [
    readyUnknown('LeaseExpired', lease),
    {
      type: 'LeaseValid',
      status: 'False',
      reason: 'Revoked',
      message: 'The lease was taken; its containers may go elsewhere',
    },
    { type: 'Fenced', status: 'True', reason, message: proofMessage(reason, who.join(': ')) },
  ];
}

function silent(reason: UnheardReason, lease: LeaseRecord | undefined): Update[] {
  const ready = readyUnknown(reason, lease);
  return [ready, { ...ready, type: 'LeaseValid' }];
}

function readyUnknown(reason: UnheardReason, lease: LeaseRecord | undefined): Update {
  const message =
    reason === 'LeaseDeleted'
      ? "The node's lease was deleted, and its agent has not asked for a new one"
      : lease === undefined || reason === 'NoLease'
        ? 'There is no lease for the node: its agent has not taken one'
        : `The agent has not renewed the node's lease for more than ${lease.timing.durationMs / 1_000} s`;
  return { type: 'Ready', status: 'Unknown', reason, message };
}

function proofMessage(reason: string, who: string): string {
  switch (reason) {
    case 'Operator':
      return `${who} confirmed that the host is off`;
    case 'Fencing':
      return `The host was switched off through spec.fencing.${who}`;
    default:
      return 'The lease ran out, and the guard has stopped what it let run';
  }
}

function taintsOf(conditions: readonly Condition[] | undefined, flapping: boolean): Taint[] {
  const taints: Taint[] = [];
  const add = (key: string): void => void taints.push({ key, value: '', effect: 'NoSchedule' });
  if (flapping) add(FLAPPING_TAINT);
  const isSaid = (type: string): boolean => findCondition(conditions, type) !== undefined;
  if (isSaid('Ready') && !isConditionTrue(conditions, 'Ready')) add(NOT_READY_TAINT);
  if (isSaid('LeaseValid') && !isConditionTrue(conditions, 'LeaseValid')) add(UNREACHABLE_TAINT);
  return taints;
}

/** Whether the leader itself has said that nothing is heard of the node. `False` is the agent's word: it is there. */
export function isUnheard(node: Node | undefined): boolean {
  return node === undefined || findCondition(node.status?.conditions, 'Ready')?.status === 'Unknown';
}
