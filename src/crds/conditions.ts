import { Type } from 'typebox';

/** `metav1.Condition`. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  /** CamelCase, for programs. */
  reason: string;
  /** For people; may be empty. */
  message: string;
  lastTransitionTime: string;
  observedGeneration?: number;
}

/** A condition as a plan states it: without the time, which `setCondition` adds only on a transition. */
export type ConditionUpdate = Omit<Condition, 'lastTransitionTime'>;

export const conditionsSchema = Type.Unsafe<Condition[]>({
  type: 'array',
  description: 'The latest observations of the state, one of each type.',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  items: {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: { type: 'string', maxLength: 316, description: 'What it is about: Ready, Scheduled, …' },
      status: { type: 'string', enum: ['True', 'False', 'Unknown'], description: 'Whether it holds.' },
      reason: { type: 'string', minLength: 1, maxLength: 1024, description: 'CamelCase, for programs.' },
      message: { type: 'string', maxLength: 32768, description: 'For people; may be empty.' },
      lastTransitionTime: {
        type: 'string',
        format: 'date-time',
        description: 'When its status changed last.',
      },
      observedGeneration: {
        type: 'integer',
        format: 'int64',
        minimum: 0,
        description: 'The metadata.generation that it is about.',
      },
    },
  },
});

/**
 * `conditions` with `update` in it. `lastTransitionTime` moves only when `status` changes, and the very same array comes
 * back when nothing changes at all, so that callers can compare by identity and skip the write.
 * @param now RFC 3339
 */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  update: ConditionUpdate,
  now: string,
): Condition[] {
  const existing = conditions ?? [];
  const old = existing.find((condition) => condition.type === update.type);
  if (old && isSame(old, update)) return existing as Condition[];
  const lastTransitionTime = old && old.status === update.status ? old.lastTransitionTime : now;
  const next: Condition = { ...update, lastTransitionTime };
  return old ? existing.map((condition) => (condition === old ? next : condition)) : [...existing, next];
}

export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isConditionTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

function isSame(old: Condition, update: ConditionUpdate): boolean {
  return (
    old.status === update.status &&
    old.reason === update.reason &&
    old.message === update.message &&
    old.observedGeneration === update.observedGeneration
  );
}
