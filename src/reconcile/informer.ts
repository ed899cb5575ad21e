import type { KubeObject, ResourceRef } from '../crds/object.ts';
import { type Clock, sleep } from '../ports/clock.ts';
import { errorCode, hasCode, messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { type Metrics, noMetrics } from '../ports/metrics.ts';
import type { ObjectStore, WatchEvent } from '../ports/object-store.ts';
import { createCache } from './informer-cache.ts';
import { createInformerState } from './informer-state.ts';
import { listAll } from './list-all.ts';
import { createRetry, follow, selectionOf } from './list-watch.ts';
import type { Runnable } from './runnable.ts';

/** The last state that was seen of each object, for reading only: every object is frozen, deeply. */
export interface Cache<T extends KubeObject> {
  /** @param key `namespace/name`, or `name` for cluster-scoped kinds (`keyOf`) */
  get(key: string): T | undefined;
  list(): readonly T[];
  /** The objects for which the index `name` (InformerOptions.indexes) yields `value`. @throws when there is no such index */
  byIndex(name: string, value: string): readonly T[];
}

/** `old` absent: it is new here; `new` absent: it is gone. A resync reports both, the same. */
export interface Change<T extends KubeObject> {
  key: string;
  old?: T;
  new?: T;
  /** It is missing in a list: what it was between `old` and its end was not seen. */
  isMissed?: true;
}

export interface Informer<T extends KubeObject> extends Runnable {
  readonly cache: Cache<T>;

  /** Whether the cache held, at some moment since the start, everything that was there. Until then 'not in it' means nothing. */
  hasSynced(): boolean;

  /** The same as `hasSynced`, for the manager. */
  ready(): boolean;

  /**
   * Calls `handler` for each change, in order, after the cache has it; first, at once, for what is in the cache already.
   * @returns stops it
   */
  onChange(handler: (change: Change<T>) => void): () => void;

  /**
   * Clock.monotonicMs of the last proof that the cache is in touch with the API (a list, an event, a bookmark):
   * undefined before the first. A cache that was not in touch for a while may lack what is there, or hold what is gone.
   */
  lastContactMs(): number | undefined;
}

export interface InformerOptions<T extends KubeObject> {
  store: Pick<ObjectStore, 'list' | 'watch'>;
  ref: ResourceRef;
  clock: Clock;
  logger: Logger;
  metrics?: Metrics;
  /** Default: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Named functions from an object to the values under which `cache.byIndex` finds it. */
  indexes?: Readonly<Record<string, (object: T) => readonly string[]>>;
  /** Objects in one page of a list. @defaultValue 500 */
  pageSize?: number;
  /** Milliseconds after which every object is reported again. Default: never. */
  resyncMs?: number;
  /**
   * Milliseconds without an event or a bookmark after which a watch is given up and taken up again; longer than the
   * server's bookmarks are apart. @defaultValue 120_000
   */
  idleTimeoutMs?: number;
  /** Uniform in [0, 1), for jitter. @defaultValue Math.random */
  random?: () => number;
}

const WATCH_SECONDS = 300;

/**
 * Keeps a cache of one kind in step with the API. It lists in pages, watches from there on with bookmarks, resumes after
 * each end or failure from the last version that it saw, and lists again only when that one is too old (410); what is
 * missing then was deleted. It never stops by itself, and never goes back in time: answers from a lagging replica that
 * are older than what was seen are not taken.
 */
export function createInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  const { store, ref, clock, pageSize = 500, metrics = noMetrics, random = Math.random } = options;
  const labels = { resource: ref.resource };
  const logger = options.logger.child({ informer: ref.resource });
  const cache = createCache<T>(options.indexes ?? {});
  const state = createInformerState(cache, logger);
  let contactMs: number | undefined;
  let mustList = true;
  /** Since the last attempt began. */
  let hadEvents = false;

  const relist = async (signal: AbortSignal): Promise<void> => {
    const sentMs = clock.monotonicMs();
    state.replace(await listAll<T>(store, ref, { ...selectionOf(options), pageSize }, signal));
    contactMs = Math.max(contactMs ?? sentMs, sentMs);
    metrics.count('hostler_informer_lists_total', labels);
    metrics.set('hostler_informer_objects', cache.size, labels);
  };

  const take = (event: WatchEvent<T>): void => {
    contactMs = clock.monotonicMs();
    hadEvents = true;
    state.take(event);
    metrics.set('hostler_informer_objects', cache.size, labels);
  };

  const listAndWatch = async (signal: AbortSignal): Promise<void> => {
    if (mustList) await relist(signal);
    mustList = false;
    const from = { position: state.position() as string, seconds: WATCH_SECONDS * (1 + random()) };
    await follow(options, from, { take, contactMs: () => contactMs }, signal);
  };

  const report = (error: unknown, delayMs: number): void => {
    const code = error === undefined ? 'Ended' : errorCode(error);
    metrics.count('hostler_informer_interruptions_total', { ...labels, code });
    if (error === undefined || code === 'Expired') logger.debug({ code, delayMs }, 'watch ended');
    else logger.warn({ code, delayMs, error: messageOf(error) }, 'list or watch failed');
  };

  return {
    name: `informer ${ref.resource}`,
    cache,
    hasSynced: () => state.position() !== undefined,
    ready: () => state.position() !== undefined,
    lastContactMs: () => contactMs,
    onChange: (handler) => state.onChange(handler),
    async start(signal) {
      const { resyncMs } = options;
      const timer = resyncMs === undefined ? undefined : every(clock, resyncMs, () => state.resync());
      const retry = createRetry(random);
      while (!signal.aborted) {
        const startMs = clock.monotonicMs();
        hadEvents = false;
        const error = await listAndWatch(signal).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        if (signal.aborted) break;
        mustList ||= hasCode(error, 'Expired');
        const delayMs = retry(error, { lastedMs: clock.monotonicMs() - startMs, hadEvents });
        report(error, delayMs);
        await sleep(clock, delayMs, signal);
      }
      timer?.cancel();
    },
  };
}

function every(clock: Clock, periodMs: number, run: () => void): { cancel(): void } {
  const tick = (): void => {
    timer = clock.schedule(periodMs, tick);
    run();
  };
  let timer = clock.schedule(periodMs, tick);
  return { cancel: () => timer.cancel() };
}
