import { type KubeObject, keyOf } from '../crds/object.ts';
import { HostlerError, messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { WatchEvent } from '../ports/object-store.ts';
import type { MutableCache } from './informer-cache.ts';
import type { Change } from './informer.ts';
import { isOlder } from './resource-version.ts';

type Handler<T extends KubeObject> = (change: Change<T>) => void;

/** What an informer has seen so far: moves forward only, and tells its handlers when the cache has what
 * they are told, and of a list all of it. */
export function createInformerState<T extends KubeObject>(cache: MutableCache<T>, logger: Logger) {
  const handlers = new Set<Handler<T>>();
  /** Everything up to this version is in the cache. */
  let position: string | undefined;

  const notify = (handler: Handler<T>, change: Change<T>): void => {
    try {
      handler(change);
    } catch (error) {
      logger.error({ key: change.key, error: messageOf(error) }, 'handler of changes failed');
    }
  };

  /** @returns what it changed, if anything */
  const put = (object: T): Change<T>[] => {
    const key = keyOf(object);
    const old = cache.get(key);
    if (old && !isNewer(object, old)) return [];
    cache.set(object);
    return [{ key, new: object, ...(old === undefined ? {} : { old }) }];
  };

  const drop = (key: string): Change<T>[] => {
    const old = cache.get(key);
    cache.delete(key);
    return old ? [{ key, old }] : [];
  };

  const tell = (changes: readonly Change<T>[]): void => {
    for (const change of changes) for (const handler of handlers) notify(handler, change);
  };

  return {
    position: () => position,

    /** Takes a whole list: what is not in it is gone. @throws Unavailable when it is older than what was seen */
    replace({ items, resourceVersion }: { items: readonly T[]; resourceVersion: string }): void {
      if (isOlder(resourceVersion, position)) {
        const message = `The list is of version ${resourceVersion}, but ${position} was seen already`;
        throw new HostlerError('Unavailable', message);
      }
      const gone = new Set(cache.keys());
      for (const object of items) gone.delete(keyOf(object));
      const missed = [...gone].flatMap(drop).map((change) => ({ ...change, isMissed: true }) as const);
      const changes = [...items.flatMap(put), ...missed];
      position = resourceVersion;
      tell(changes);
    },

    /** Takes an event, unless it was seen before. */
    take(event: WatchEvent<T>): void {
      const isBookmark = event.type === 'BOOKMARK';
      const version = isBookmark ? event.resourceVersion : event.object.metadata.resourceVersion;
      if (version === undefined || isOlder(version, position)) return;
      position = version;
      if (event.type === 'DELETED') tell(drop(keyOf(event.object)));
      else if (!isBookmark) tell(put(event.object));
    },

    onChange(handler: Handler<T>): () => void {
      handlers.add(handler);
      for (const object of cache.list()) notify(handler, { key: keyOf(object), new: object });
      return () => void handlers.delete(handler);
    },

    resync(): void {
      tell(cache.list().map((object) => ({ key: keyOf(object), old: object, new: object })));
    },
  };
}

function isNewer(object: KubeObject, old: KubeObject): boolean {
  const { resourceVersion } = object.metadata;
  return (
    resourceVersion !== old.metadata.resourceVersion &&
    !isOlder(resourceVersion, old.metadata.resourceVersion)
  );
}
