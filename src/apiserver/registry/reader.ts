import type { StoredEntry } from '../../ports/storage.ts';
import type { Storage } from '../../ports/storage.ts';
import { hasCode } from '../../ports/errors.ts';
import type { ResourceDefinition } from '../resource.ts';
import { isSelected, parseSelection, type Selection, selectsAll } from '../selectors/selection.ts';
import { expired, notFound, timeout } from '../status.ts';
import type { ResourceCache } from '../watch/cache.ts';
import type { Feed } from '../watch/feed.ts';
import { decodeToken, encodeToken } from './continue-token.ts';
import { ROOT } from './keys.ts';
import type { Records } from './records.ts';
import type { Call, ListQuery, ObjectName, StoredList, StoredObject } from './registry.ts';
import { listFreshness, parseResourceVersion, tooLargeResourceVersion } from './resource-version.ts';
import { throwingApiErrors } from './storage-faults.ts';

/** How long a consistent read waits for the cache before it goes to the store. */
const CONSISTENT_WAIT_MS = 100;
/** How long a read waits for a revision that this server has not seen yet. */
const REVISION_WAIT_MS = 3_000;
const PAGE_SIZE = 500;

export interface ReaderOptions {
  definition: ResourceDefinition;
  storage: Storage;
  cache: ResourceCache;
  feed: Feed;
  records: Records;
}

/**
 * Reads of one resource. The latest state comes from the watch cache too: one small read tells the store's revision, and
 * the cache serves as soon as it has come that far. Later pages of a list are read from the store at the first page's revision.
 */
export class Reader {
  readonly #options: ReaderOptions;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  async get(name: ObjectName, resourceVersion: string | undefined, { signal }: Call): Promise<StoredObject> {
    const { cache, feed, records, definition } = this.#options;
    if (resourceVersion === undefined || resourceVersion === '' || feed.revision === 0) {
      return records.read(name, signal);
    }
    await this.#waitFor(parseResourceVersion(resourceVersion), signal);
    const cached = cache.get(records.keyOf(name));
    if (cached === undefined) throw notFound(definition, name.name);
    return cached;
  }

  async list(query: ListQuery, { signal }: Call): Promise<StoredList> {
    const selection = parseSelection(query, this.#options.definition);
    const freshness = listFreshness(query);
    const limit = query.limit ?? 0;
    if (query.continue !== undefined && query.continue !== '') {
      return this.#continued(query.continue, selection, limit, signal);
    }
    if (freshness.read === 'exact') {
      const { revision } = freshness;
      return this.#stored({ selection, limit, revision }, signal);
    }
    if (freshness.read === 'cached' && this.#options.feed.revision > 0) {
      await this.#waitFor(freshness.revision, signal);
      return this.#cached(selection, limit);
    }
    return (await this.isFresh(signal))
      ? this.#cached(selection, limit)
      : this.#confirmed(selection, limit, signal);
  }

  /** Whether the cache shows, in this very turn, everything that was written before this call. */
  async isFresh(signal: AbortSignal): Promise<boolean> {
    const { storage, feed, cache } = this.#options;
    if (feed.revision === 0) return false;
    const { revision } = await throwingApiErrors(storage.get(ROOT, signal));
    if (cache.confirmedRevision >= revision) return true;
    return feed.waitFor(revision, CONSISTENT_WAIT_MS, signal);
  }

  /** Brings the cache to the present; afterwards, in the same turn, it shows all that was written before this call. */
  async catchUp(signal: AbortSignal): Promise<void> {
    if (await this.isFresh(signal)) return;
    const { storage, cache, feed } = this.#options;
    const { entries, revision } = await throwingApiErrors(storage.list(cache.prefix, {}, signal));
    cache.confirm(entries, revision);
    if (cache.confirmedRevision >= revision || (await feed.waitFor(revision, REVISION_WAIT_MS, signal)))
      return;
    throw timeout(`the watch cache did not come to revision ${revision} in time, it is at ${feed.revision}`);
  }

  async #waitFor(revision: number, signal: AbortSignal): Promise<void> {
    const { feed, cache } = this.#options;
    if (cache.confirmedRevision >= revision) return;
    if (await feed.waitFor(revision, REVISION_WAIT_MS, signal)) return;
    throw tooLargeResourceVersion(revision, feed.revision);
  }

  #cached(selection: Selection, limit: number): StoredList {
    const { cache, feed } = this.#options;
    const items = cache.list(selection);
    const resourceVersion = feed.revision;
    const last = items[limit - 1];
    if (last === undefined || items.length === limit) return { items, resourceVersion };
    return {
      items: items.slice(0, limit),
      resourceVersion,
      continue: encodeToken({ revision: resourceVersion, after: this.#keyBelow(last) }),
      ...(selectsAll(selection) ? { remainingItemCount: items.length - limit } : {}),
    };
  }

  /** From the store, because the cache did not come to its revision in time; then it is as good as the cache. */
  async #confirmed(selection: Selection, limit: number, signal: AbortSignal): Promise<StoredList> {
    const { storage, cache } = this.#options;
    if (limit > 0) return this.#stored({ selection, limit }, signal);
    const { entries, revision } = await throwingApiErrors(storage.list(cache.prefix, {}, signal));
    cache.confirm(entries, revision);
    const items = entries.map((entry) => this.#options.records.decode(entry));
    return { items: items.filter(({ object }) => isSelected(selection, object)), resourceVersion: revision };
  }

  async #continued(
    token: string,
    selection: Selection,
    limit: number,
    signal: AbortSignal,
  ): Promise<StoredList> {
    const { revision, after } = decodeToken(token);
    try {
      const at = revision < 0 ? {} : { revision };
      return await this.#stored({ selection, limit, after, ...at }, signal);
    } catch (error) {
      if (!(error instanceof Error) || !hasCode(error.cause, 'Expired')) throw error;
      throw expiredToken(after);
    }
  }

  /** A page as of `revision` (default: now), read from the store until `limit` objects are found. */
  async #stored(page: PageQuery, signal: AbortSignal): Promise<StoredList> {
    const { cache, storage, records } = this.#options;
    const { selection, limit } = page;
    const prefix =
      selection.namespace === undefined ? cache.prefix : `${cache.prefix}${selection.namespace}/`;
    const items: StoredObject[] = [];
    let { revision } = page;
    let after = page.after === undefined ? undefined : cache.prefix + page.after;
    for (;;) {
      const size = limit > 0 && selectsAll(selection) ? limit : PAGE_SIZE;
      const options = {
        limit: size,
        ...(revision === undefined ? {} : { revision }),
        ...(after === undefined ? {} : { after }),
      };
      const read = await readPage(storage.list(prefix, options, signal));
      revision = read.revision;
      for (const [index, entry] of read.entries.entries()) {
        const stored = records.decode(entry);
        if (isSelected(selection, stored.object)) items.push(stored);
        const isLast = index === read.entries.length - 1 && !read.more;
        if (items.length === limit && limit > 0 && !isLast) {
          return this.#page(items, revision, entry, read.count - index - 1, selection);
        }
      }
      if (!read.more) return { items, resourceVersion: revision };
      after = (read.entries.at(-1) as StoredEntry).key;
    }
  }

  #page(
    items: StoredObject[],
    revision: number,
    last: StoredEntry,
    remainingItemCount: number,
    selection: Selection,
  ): StoredList {
    const after = last.key.slice(this.#options.cache.prefix.length);
    return {
      items,
      resourceVersion: revision,
      continue: encodeToken({ revision, after }),
      ...(selectsAll(selection) ? { remainingItemCount } : {}),
    };
  }

  #keyBelow({ object: { metadata } }: StoredObject): string {
    return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
  }
}

interface PageQuery {
  selection: Selection;
  /** 0: all */
  limit: number;
  revision?: number;
  /** A key below the resource's prefix. */
  after?: string;
}

async function readPage<T>(page: Promise<T>): Promise<T> {
  try {
    return await page;
  } catch (error) {
    if (!hasCode(error, 'Expired')) return throwingApiErrors(Promise.reject(error as Error));
    const gone = expired('The resourceVersion for the provided list is too old.');
    gone.cause = error;
    throw gone;
  }
}

/** 410 with a token for those who would rather go on inconsistently than begin anew. */
function expiredToken(after: string): Error {
  const error = expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  );
  error.status.metadata.continue = encodeToken({ revision: -1, after });
  return error;
}
