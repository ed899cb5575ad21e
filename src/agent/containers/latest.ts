import { type Container, containerKind, type ContainerStatus } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { Cache } from '../../reconcile/informer.ts';
import { isOlder } from '../../reconcile/resource-version.ts';
import { writeStatus } from '../../reconcile/status.ts';

/**
 * The containers assigned to this node, as new as they are known: the informer's cache, and on top of it what our own
 * writes brought back, until the cache has caught up. Without it each pass after a write would lose a conflict.
 */
export interface LatestContainers {
  /** @returns undefined when the cache has no such container (any more) */
  get(key: string): Container | undefined;
  /** `container` was read apart from the cache. */
  learn(container: Container): void;
  /** Writes `status` where it differs from the container's. @throws as writeStatus */
  writeStatus(container: Container, status: ContainerStatus, signal: AbortSignal): Promise<Container>;
}

export function createLatestContainers(
  cache: Pick<Cache<Container>, 'get'>,
  store: Pick<ObjectStore, 'updateStatus'>,
): LatestContainers {
  const written = new Map<string, Container>();
  return {
    get(key) {
      const cached = cache.get(key);
      const own = written.get(key);
      if (own === undefined) return cached;
      const isAhead =
        cached?.metadata.uid === own.metadata.uid &&
        isOlder(cached?.metadata.resourceVersion, own.metadata.resourceVersion);
      if (isAhead) return own;
      written.delete(key);
      return cached;
    },
    learn: (container) => void written.set(keyOf(container), container),
    async writeStatus(container, status, signal) {
      const result = await writeStatus({ store, ref: containerKind }, container, status, signal);
      if (result !== container) written.set(keyOf(container), result);
      return result;
    },
  };
}
