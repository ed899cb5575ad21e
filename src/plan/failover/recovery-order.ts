import type { Container } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';

/** The higher priority first, then who was there first. */
export function inRecoveryOrder(containers: readonly Container[]): Container[] {
  return [...containers].sort((a, b) => {
    const byPriority = (b.spec.priority ?? 0) - (a.spec.priority ?? 0);
    if (byPriority !== 0) return byPriority;
    const [createdA, createdB] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
    if (createdA !== createdB) return createdA < createdB ? -1 : 1;
    return keyOf(a) < keyOf(b) ? -1 : 1;
  });
}
