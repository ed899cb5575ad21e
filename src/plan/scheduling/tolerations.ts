import type { Toleration } from '../../crds/container.ts';
import { FLAPPING_TAINT } from '../../crds/kind.ts';
import type { Taint } from '../../crds/node.ts';

/** The taint that a cordoned node counts as having, so that a container can tolerate it. */
export const UNSCHEDULABLE_TAINT: Taint = { key: 'hostler.dev/unschedulable', effect: 'NoSchedule' };

/** A node that is lost again and again is there all the same: who needs no better one may have it. */
export const FLAPPING: Taint = { key: FLAPPING_TAINT, effect: 'NoSchedule' };

export function isTolerated(taint: Taint, tolerations: readonly Toleration[]): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint));
}

/** As in Kubernetes: no effect means every effect, no key every key, and `Exists` any value. */
function tolerates({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key !== undefined && key !== taint.key) return false;
  if (operator === 'Exists' || (key === undefined && value === undefined)) return true;
  return (value ?? '') === (taint.value ?? '');
}
