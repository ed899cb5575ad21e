import type { Clock, Timer } from '../ports/clock.ts';
import { type Metrics, noMetrics } from '../ports/metrics.ts';

/**
 * Keys that wait to be reconciled. A key is in the queue at most once; one that is added while it is processed is
 * *dirty* and comes back when `done` is called, so that no add is lost and no key is processed twice at once. Delayed
 * adds and back-off are per key; of several delayed adds of one key the earliest wins.
 */
export interface WorkQueue {
  /** How many keys wait to be taken, delayed ones not included. */
  readonly depth: number;

  /** Adds `key` now; a delayed add of it stays. Ignored after `stop`. */
  add(key: string): void;

  /** @param delayMs milliseconds, >= 0 */
  addAfter(key: string, delayMs: number): void;

  /** Adds `key` after its back-off, which doubles with each call until `forget`. @returns the delay in milliseconds */
  addBackedOff(key: string): number;

  /** The next back-off of `key` begins at the base delay again. */
  forget(key: string): void;

  /**
   * The next key; it is processed until `done`.
   * @returns undefined once the queue is stopped or `signal` is aborted
   */
  take(signal: AbortSignal): Promise<string | undefined>;

  /** `key`, which was taken, is not processed any more. */
  done(key: string): void;

  /** Drops everything that waits and ends each `take` with undefined. Idempotent. */
  stop(): void;
}

export interface WorkQueueOptions {
  /** For metrics. */
  name: string;
  clock: Clock;
  metrics?: Metrics;
  /** @defaultValue 5 */
  baseDelayMs?: number;
  /** @defaultValue 30_000 */
  maxDelayMs?: number;
}

interface Waiter {
  resolve(key: string | undefined): void;
}

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { name, clock, metrics = noMetrics, baseDelayMs = 5, maxDelayMs = 30_000 } = options;
  const labels = { queue: name };
  /** In the order in which they were added. */
  const queued = new Set<string>();
  const processing = new Set<string>();
  const dirty = new Set<string>();
  const delayed = new Map<string, { dueMs: number; timer: Timer }>();
  const failures = new Map<string, number>();
  const waiters = new Set<Waiter>();
  let isStopped = false;

  const enqueue = (key: string): void => {
    const [waiter] = waiters;
    if (waiter) {
      waiters.delete(waiter);
      processing.add(key);
      waiter.resolve(key);
    } else {
      queued.add(key);
      metrics.set('hostler_workqueue_depth', queued.size, labels);
    }
  };

  const add = (key: string): void => {
    if (isStopped || queued.has(key) || dirty.has(key)) return;
    metrics.count('hostler_workqueue_adds_total', labels);
    if (processing.has(key)) dirty.add(key);
    else enqueue(key);
  };

  const addAfter = (key: string, delayMs: number): void => {
    if (isStopped) return;
    if (delayMs <= 0) return add(key);
    const dueMs = clock.monotonicMs() + delayMs;
    const earlier = delayed.get(key);
    if (earlier && earlier.dueMs <= dueMs) return;
    earlier?.timer.cancel();
    const timer = clock.schedule(delayMs, () => {
      delayed.delete(key);
      add(key);
    });
    delayed.set(key, { dueMs, timer });
  };

  return {
    get depth() {
      return queued.size;
    },
    add,
    addAfter,
    addBackedOff(key) {
      const failed = failures.get(key) ?? 0;
      failures.set(key, failed + 1);
      const delayMs = Math.min(maxDelayMs, baseDelayMs * 2 ** failed);
      metrics.count('hostler_workqueue_retries_total', labels);
      addAfter(key, delayMs);
      return delayMs;
    },
    forget: (key) => void failures.delete(key),
    take(signal) {
      if (isStopped || signal.aborted) return Promise.resolve(undefined);
      const [key] = queued;
      if (key !== undefined) {
        queued.delete(key);
        processing.add(key);
        metrics.set('hostler_workqueue_depth', queued.size, labels);
        return Promise.resolve(key);
      }
      return waitForKey(waiters, signal);
    },
    done(key) {
      processing.delete(key);
      if (dirty.delete(key) && !isStopped) enqueue(key);
    },
    stop() {
      isStopped = true;
      for (const { timer } of delayed.values()) timer.cancel();
      for (const waiter of waiters) waiter.resolve(undefined);
      for (const collection of [delayed, waiters, queued, dirty, failures]) collection.clear();
      metrics.set('hostler_workqueue_depth', 0, labels);
    },
  };
}

function waitForKey(waiters: Set<Waiter>, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const onAbort = (): void => {
      waiters.delete(waiter);
      resolve(undefined);
    };
    const waiter: Waiter = {
      resolve(key) {
        signal.removeEventListener('abort', onAbort);
        resolve(key);
      },
    };
    signal.addEventListener('abort', onAbort, { once: true });
    waiters.add(waiter);
  });
}
