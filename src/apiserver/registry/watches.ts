import type { Clock } from '../../ports/clock.ts';
import type { ResourceDefinition } from '../resource.ts';
import { parseSelection, type Selection } from '../selectors/selection.ts';
import { expired } from '../status.ts';
import type { ResourceCache } from '../watch/cache.ts';
import type { Change } from '../watch/change.ts';
import type { Feed } from '../watch/feed.ts';
import { eventOf } from '../watch/stored.ts';
import type { Watcher } from '../watch/watcher.ts';
import type { Reader } from './reader.ts';
import type { Call, StoredEvent, StoredObject, WatchQuery } from './registry.ts';
import { checkWatchOptions, parseResourceVersion, tooLargeResourceVersion } from './resource-version.ts';
import { unavailable } from '../status.ts';

/** How long the start of a watch waits for the cache to be as new as it must. */
const START_WAIT_MS = 3_000;

export interface WatchesOptions {
  definition: ResourceDefinition;
  cache: ResourceCache;
  feed: Feed;
  reader: Reader;
  clock: Clock;
}

/** Watches of one resource, all served from its cache. */
export class Watches {
  readonly #options: WatchesOptions;

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  /** @throws ApiError 400, 410, 422; 503 while the cache is not filled */
  async start(query: WatchQuery, call: Call): Promise<AsyncIterable<StoredEvent>> {
    const { definition, feed } = this.#options;
    checkWatchOptions(query);
    const selection = parseSelection(query, definition);
    if (!(await feed.waitFor(1, START_WAIT_MS, call.signal)))
      throw unavailable(feed.trouble ?? 'the watch cache is not filled yet');
    const version = query.resourceVersion ?? '';
    const revision = version === '' ? 0 : parseResourceVersion(version);
    const beginsWithState = query.sendInitialEvents ?? revision === 0;
    if (query.sendInitialEvents === true || version === '')
      await this.#catchUp(revision, version === '', call);
    call.signal.throwIfAborted();
    return beginsWithState
      ? this.#fromState(query, selection, call)
      : this.#from(revision, query, selection, call);
  }

  async #catchUp(revision: number, toLatest: boolean, { signal }: Call): Promise<void> {
    const { feed, reader } = this.#options;
    if (toLatest) await reader.catchUp(signal);
    else if (!(await feed.waitFor(revision, START_WAIT_MS, signal))) {
      throw tooLargeResourceVersion(revision, feed.revision);
    }
  }

  #fromState(query: WatchQuery, selection: Selection, call: Call): Watcher {
    const { cache, feed } = this.#options;
    const revision = feed.revision;
    const objects = cache.list(selection);
    const withMark = query.sendInitialEvents === true && query.allowWatchBookmarks === true;
    return this.#open(revision, initialState(objects, withMark ? revision : undefined), query, {
      selection,
      call,
    });
  }

  #from(position: number, query: WatchQuery, selection: Selection, call: Call): Watcher {
    const { cache, feed } = this.#options;
    const isFromNow = position === 0;
    const revision = isFromNow ? feed.revision : position;
    const changes = cache.changesAfter(revision);
    if (changes === undefined) {
      throw expired(`too old resource version: ${revision} (${cache.oldestRevision})`);
    }
    return this.#open(revision, missed(changes, selection), query, { selection, call });
  }

  #open(
    afterRevision: number,
    initial: Iterable<StoredEvent>,
    query: WatchQuery,
    { selection, call }: { selection: Selection; call: Call },
  ): Watcher {
    const { cache, feed, clock } = this.#options;
    const onAbort = (): void => watcher.end();
    // The last thing that its client hears is how far it has come, so that it goes on from there and need not list again.
    const conclude = (): void => {
      watcher.bookmark(feed.revision);
      watcher.end();
    };
    const seconds = query.timeoutSeconds ?? 0;
    const timer = seconds > 0 ? clock.schedule(seconds * 1_000, conclude) : undefined;
    const watcher = cache.watch({
      selection,
      afterRevision,
      wantsBookmarks: query.allowWatchBookmarks === true,
      initial,
      onEnd: () => {
        timer?.cancel();
        call.signal.removeEventListener('abort', onAbort);
        call.ending?.removeEventListener('abort', conclude);
      },
    });
    call.signal.addEventListener('abort', onAbort, { once: true });
    call.ending?.addEventListener('abort', conclude, { once: true });
    if (call.ending?.aborted === true) conclude();
    return watcher;
  }
}

function* initialState(objects: readonly StoredObject[], markAt: number | undefined): Generator<StoredEvent> {
  for (const stored of objects) yield eventOf('ADDED', stored);
  if (markAt !== undefined) yield { type: 'BOOKMARK', resourceVersion: markAt, initialEventsEnd: true };
}

function* missed(changes: readonly Change[], selection: Selection): Generator<StoredEvent> {
  for (const change of changes) {
    const event = change.seenBy(selection);
    if (event !== undefined) yield event;
  }
}
