import { type Clock, sleep, type Timer } from '../../ports/clock.ts';
import { hasCode, HostlerError } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Storage, StorageEvents, StoredEntry } from '../../ports/storage.ts';
import type { ResourceCache } from './cache.ts';

/**
 * Fills all watch caches from one watch of the store. It begins in the store's past, as far back as the store still knows it, so
 * that clients of a server that was restarted can go on from where they were, also with kinds that rarely change. One stream for all resources gives them one revision: after a
 * batch every cache shows exactly the state of that revision, and a write to any resource carries all of them on, so that
 * a quiet resource is as fresh as a busy one.
 */

export interface FeedOptions {
  storage: Storage;
  /** Everything below it belongs to some resource. */
  root: string;
  clock: Clock;
  logger: Logger;
}

const PAGE_SIZE = 500;
/** How old the position of a quiet watch becomes: short enough that HISTORY reaches back to it in a large cluster, too. */
const BOOKMARK_INTERVAL_MS = 20_000;
/** Revisions that a new feed reads back; fewer where the store has compacted them. etcd takes 100 ms for each thousand. */
const HISTORY = [10_000, 2_000, 400];
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;

export class Feed {
  readonly #options: FeedOptions;
  readonly #caches = new Map<string, ResourceCache>();
  readonly #waiting = new Set<{ revision: number; resolve: () => void }>();
  /** What is told to readers; stays 0 until the caches have come from the past to the present. */
  #revision = 0;
  /** Up to which the caches have been given everything. */
  #position = 0;
  /** The revision that `#position` must reach before readers see the caches. */
  #present = 0;
  #trouble: string | undefined = 'the watch cache is not filled yet';
  #bookmarks: Timer | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Before `run`. */
  add(cache: ResourceCache): void {
    this.#caches.set(cache.prefix, cache);
  }

  /** The caches show the store as of this revision; 0 before they are filled. */
  get revision(): number {
    return this.#revision;
  }

  /** Why the caches are not, or no longer, fed; undefined when they are. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Follows the store until `signal` is aborted; never rejects. Failures are tried again, later each time. */
  async run(signal: AbortSignal): Promise<void> {
    this.#scheduleBookmarks();
    let delayMs = RETRY_MIN_MS;
    let mustList = true;
    while (!signal.aborted) {
      try {
        if (mustList) await this.#fill(signal);
        mustList = false;
        delayMs = RETRY_MIN_MS;
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) break;
        mustList ||= hasCode(error, 'Expired');
        this.#trouble = `the watch cache cannot follow the store: ${error instanceof Error ? error.message : String(error)}`;
        this.#options.logger.warn(
          { err: error, mustList, delayMs },
          'The feed of the watch cache was interrupted',
        );
        await sleep(this.#options.clock, delayMs, signal);
        delayMs = Math.min(delayMs * 2, RETRY_MAX_MS);
      }
    }
    this.#bookmarks?.cancel();
    for (const cache of this.#caches.values()) cache.endWatches();
  }

  /** @returns whether the caches came to `revision` within `timeoutMs`; never rejects */
  waitFor(revision: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#revision >= revision) return Promise.resolve(true);
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const finish = (isReached: boolean): void => {
        this.#waiting.delete(entry);
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        resolve(isReached);
      };
      const onAbort = (): void => finish(false);
      const entry = { revision, resolve: (): void => finish(true) };
      const timer = this.#options.clock.schedule(timeoutMs, () => finish(false));
      this.#waiting.add(entry);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  async #fill(signal: AbortSignal): Promise<void> {
    const now = await this.#readAll(signal);
    const past = this.#position === 0 ? await this.#readPast(now, signal) : undefined;
    const { entries, revision } = past ?? now;
    // A store that was restored from a backup is behind what watchers have seen: they have to begin anew.
    if (revision < this.#revision) for (const cache of this.#caches.values()) cache.endWatches();
    this.#revision = 0;
    this.#position = revision;
    // The watch shows each of these writes; revisions after the last may be of keys that it does not follow.
    this.#present = past === undefined ? 0 : latestOf(now.entries);
    const byCache = Map.groupBy(entries, ({ key }) => this.#cacheOf(key));
    for (const cache of this.#caches.values()) cache.replace(byCache.get(cache) ?? [], revision);
    this.#options.logger.info({ revision, objects: entries.length }, 'The watch cache is filled');
    this.#advance(revision);
  }

  /** The state as long ago as the store knows it; undefined when all of it is compacted, or there is no past. */
  async #readPast(now: State, signal: AbortSignal): Promise<State | undefined> {
    for (const depth of HISTORY) {
      const revision = Math.max(1, now.revision - depth);
      if (revision >= latestOf(now.entries)) continue;
      try {
        return await this.#readAll(signal, revision);
      } catch (error) {
        if (!hasCode(error, 'Expired')) throw error;
      }
    }
    return undefined;
  }

  /** Every page at the revision of the first, so that together they are one state. */
  async #readAll(signal: AbortSignal, at?: number): Promise<State> {
    const { storage, root } = this.#options;
    const first = at === undefined ? {} : { revision: at };
    let page = await storage.list(root, { limit: PAGE_SIZE, ...first }, signal);
    const { revision } = page;
    const entries = [...page.entries];
    while (page.more) {
      const after = (entries.at(-1) as StoredEntry).key;
      page = await storage.list(root, { limit: PAGE_SIZE, revision, after }, signal);
      entries.push(...page.entries);
    }
    return { entries, revision };
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { storage, root } = this.#options;
    for await (const batch of storage.watch(root, this.#position, signal)) this.#apply(batch);
    if (!signal.aborted) throw new HostlerError('Unavailable', 'the watch of the store has ended');
  }

  #apply({ revision, events }: StorageEvents): void {
    for (const event of events)
      this.#cacheOf(event.type === 'put' ? event.entry.key : event.key)?.apply(event);
    this.#advance(revision);
  }

  #advance(revision: number): void {
    this.#position = Math.max(this.#position, revision);
    if (this.#position < this.#present) return;
    this.#trouble = undefined;
    this.#revision = this.#position;
    for (const entry of this.#waiting) if (entry.revision <= this.#revision) entry.resolve();
  }

  /** `<root><group>/<resource>/…`; keys of resources that are not served have no cache. */
  #cacheOf(key: string): ResourceCache | undefined {
    const groupEnd = key.indexOf('/', this.#options.root.length);
    const resourceEnd = key.indexOf('/', groupEnd + 1);
    return this.#caches.get(key.slice(0, resourceEnd + 1));
  }

  #scheduleBookmarks(): void {
    this.#bookmarks = this.#options.clock.schedule(BOOKMARK_INTERVAL_MS, () => {
      if (this.#trouble === undefined) {
        for (const cache of this.#caches.values()) cache.bookmark(this.#revision);
      }
      this.#scheduleBookmarks();
    });
  }
}

interface State {
  entries: StoredEntry[];
  revision: number;
}

/** The revision of the last write that `entries` shows. */
function latestOf(entries: readonly StoredEntry[]): number {
  return entries.reduce((latest, { modRevision }) => Math.max(latest, modRevision), 0);
}
