import { type Container, containerKind, type ContainerStatus } from '../../crds/container.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { Cache } from '../../reconcile/informer.ts';
import { createLatest, type Latest } from '../../reconcile/latest.ts';
import { writeStatus } from '../../reconcile/status.ts';

/** The containers assigned to this node. Without what our own writes brought back each pass after a write would lose a conflict. */
export interface LatestContainers extends Latest<Container> {
  /** Writes `status` where it differs from the container's. @throws as writeStatus */
  writeStatus(container: Container, status: ContainerStatus, signal: AbortSignal): Promise<Container>;
}

export function createLatestContainers(
  cache: Pick<Cache<Container>, 'get'>,
  store: Pick<ObjectStore, 'updateStatus'>,
): LatestContainers {
  const latest = createLatest(cache);
  return {
    ...latest,
    async writeStatus(container, status, signal) {
      const result = await writeStatus({ store, ref: containerKind }, container, status, signal);
      if (result !== container) latest.learn(result);
      return result;
    },
  };
}
