import { type ConditionUpdate, setCondition } from '../../crds/conditions.ts';
import type { DrainPhase, DrainStatus } from '../../crds/maintenance.ts';
import type { Node, NodeStatus } from '../../crds/node.ts';
import type { DrainCounts } from './drain.ts';

const MAX_BLOCKED = 100;
const MAX_TOLD = 3;

/**
 * A Node's status with how far its drain or restore has come, and the condition Drained that people wait for. The same
 * counts give the same status.
 * @param now RFC 3339
 */
export function drainNodeStatus(node: Node, phase: DrainPhase, counts: DrainCounts, now: string): NodeStatus {
  const { generation } = node.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const drain = drainStatus(node.status?.drain, phase, counts, now);
  const update: ConditionUpdate = { ...conditionOf(phase, counts), ...observed };
  return { ...node.status, drain, conditions: setCondition(node.status?.conditions, update, now) };
}

export function isRestorePhase(phase: DrainPhase | undefined): boolean {
  return phase === 'Restoring' || phase === 'Restored';
}

function drainStatus(
  old: DrainStatus | undefined,
  phase: DrainPhase,
  counts: DrainCounts,
  now: string,
): DrainStatus {
  const isSameWay = old !== undefined && isRestorePhase(old.phase) === isRestorePhase(phase);
  const isDone = phase === 'Drained' || phase === 'Restored';
  const completedAt = (isSameWay ? old.completedAt : undefined) ?? now;
  const { blocked, ...numbers } = counts;
  return {
    phase,
    ...numbers,
    ...(blocked.length === 0 ? {} : { blocked: blocked.slice(0, MAX_BLOCKED) }),
    startedAt: (isSameWay ? old.startedAt : undefined) ?? now,
    ...(isDone ? { completedAt } : {}),
  };
}

function conditionOf(phase: DrainPhase, counts: DrainCounts): Omit<ConditionUpdate, 'observedGeneration'> {
  const { blocked, moved, total, moving, waiting } = counts;
  if (phase === 'Drained') {
    return { type: 'Drained', status: 'True', reason: 'Drained', message: 'No container runs here' };
  }
  if (phase === 'Restored') {
    return { type: 'Drained', status: 'False', reason: 'Restored', message: 'The maintenance has ended' };
  }
  const isStuck = blocked.length > 0 && moving + waiting === 0;
  const told = blocked.slice(0, MAX_TOLD).map(({ container, message }) => `${container}: ${message}`);
  const rest = blocked.length - told.length;
  const more = rest > 0 ? `; and ${rest} more` : '';
  const message = `${moved} of ${total} moved${told.length === 0 ? '' : `; cannot move: ${told.join('; ')}${more}`}`;
  return { type: 'Drained', status: 'False', reason: isStuck ? 'Blocked' : phase, message };
}
