import type { KubeObject } from '../crds/object.ts';
import { keyOf } from '../crds/object.ts';
import type { Cache } from './informer.ts';
import { isOlder } from './resource-version.ts';

/**
 * Objects as new as they are known: an informer's cache, and on top of it what our own writes and reads brought back, until
 * the cache has caught up. Whoever decides by the cache alone decides again, just after a write, what he has done already.
 */
export interface Latest<T extends KubeObject> {
  /** @returns undefined when the cache has no such object (any more) */
  get(key: string): T | undefined;
  /** `object` was read apart from the cache, or is what a write brought back. */
  learn(object: T): void;
}

export function createLatest<T extends KubeObject>(cache: Pick<Cache<T>, 'get'>): Latest<T> {
  const learnt = new Map<string, T>();
  return {
    get(key) {
      const cached = cache.get(key);
      const own = learnt.get(key);
      if (own === undefined) return cached;
      const isAhead =
        cached?.metadata.uid === own.metadata.uid &&
        isOlder(cached?.metadata.resourceVersion, own.metadata.resourceVersion);
      if (isAhead) return own;
      learnt.delete(key);
      return cached;
    },
    learn: (object) => void learnt.set(keyOf(object), object),
  };
}
