import type { Clock } from '../ports/clock.ts';
import { errorCode, messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { type Metrics, noMetrics } from '../ports/metrics.ts';
import { attempt } from './attempt.ts';
import { failureOf } from './errors.ts';
import type { Runnable } from './runnable.ts';
import type { Source } from './source.ts';
import { createWorkQueue, type WorkQueue } from './work-queue.ts';

/**
 * Brings one object nearer to what is wanted. Safe to run again at any time; never run twice at once for one key. What
 * it throws is sorted by `failureOf` (errors.ts); it heeds `signal`, which is aborted at the deadline and at the stop.
 */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult>;

export interface ReconcileResult {
  /** Look again after so many milliseconds, besides all that the sources report. Absent: only when they do. */
  requeueAfterMs?: number;
}

export interface ControllerOptions {
  /** For logs and metrics: `placement`. */
  name: string;
  reconcile: Reconcile;
  sources: readonly Source[];
  clock: Clock;
  logger: Logger;
  metrics?: Metrics;
  /** How many keys are reconciled at once. @defaultValue 1 */
  concurrency?: number;
  /** Milliseconds after which a reconcile's signal is aborted. @defaultValue 60_000 */
  deadlineMs?: number;
  /** Default: one of its own. */
  queue?: WorkQueue;
}

export interface Controller extends Runnable {
  /** Looks at `key` soon, besides what the sources report. */
  enqueue(key: string): void;
}

/** How long a reconcile may go on after its signal was aborted, before its worker takes the next key. */
const GRACE_MS = 5_000;

export function createController(options: ControllerOptions): Controller {
  const { name, clock, metrics = noMetrics, concurrency = 1, deadlineMs = 60_000 } = options;
  const queue = options.queue ?? createWorkQueue({ name, clock, metrics });
  const logger = options.logger.child({ controller: name });
  let passes = 0;

  const succeed = (key: string, { requeueAfterMs }: ReconcileResult): void => {
    queue.forget(key);
    if (requeueAfterMs !== undefined) queue.addAfter(key, requeueAfterMs);
  };

  const fail = (key: string, error: unknown, reconcileId: string): void => {
    const failure = failureOf(error);
    metrics.count('hostler_reconcile_errors_total', { controller: name, kind: failure.kind });
    const fields = { key, reconcileId, error: messageOf(error) };
    switch (failure.kind) {
      case 'waiting':
        queue.forget(key);
        queue.addAfter(key, failure.afterMs);
        logger.debug({ ...fields, retryMs: failure.afterMs }, 'reconcile waits');
        break;
      case 'terminal':
        queue.forget(key);
        logger.error({ ...fields, reason: failure.reason }, 'reconcile failed for good');
        break;
      case 'transient':
        logTransient(logger, error, { ...fields, retryMs: queue.addBackedOff(key) });
    }
  };

  const pass = async (key: string, signal: AbortSignal): Promise<void> => {
    const reconcileId = `${name}-${++passes}`;
    const startMs = clock.monotonicMs();
    const limits = { clock, timeoutMs: deadlineMs, graceMs: GRACE_MS, what: `Reconciling ${key}` };
    const result = await attempt(limits, signal, (inner) => options.reconcile(key, inner));
    const seconds = (clock.monotonicMs() - startMs) / 1_000;
    metrics.observeSeconds('hostler_reconcile_duration_seconds', seconds, { controller: name });
    if (result.outcome === 'abandoned') {
      logger.error({ key, reconcileId }, 'reconcile does not stop; its key is left alone until it does');
      queue.addBackedOff(key);
      void result.settled.then(() => queue.done(key));
      return;
    }
    if (result.outcome === 'done') succeed(key, result.value);
    else if (!signal.aborted) fail(key, result.error, reconcileId);
    queue.done(key);
  };

  const work = async (signal: AbortSignal): Promise<void> => {
    for (let key = await queue.take(signal); key !== undefined; key = await queue.take(signal)) {
      await pass(key, signal);
    }
  };

  return {
    name,
    enqueue: (key) => queue.add(key),
    async start(signal) {
      const unsubscribes = options.sources.map((source) => source.subscribe((key) => queue.add(key)));
      try {
        await Promise.all(Array.from({ length: concurrency }, () => work(signal)));
      } finally {
        for (const unsubscribe of unsubscribes) unsubscribe();
        queue.stop();
      }
    },
  };
}

/** A lost race with another writer is everyday; a bug (`Internal`) is shown with its stack. */
function logTransient(logger: Logger, error: unknown, fields: object): void {
  const code = errorCode(error);
  if (code === 'Conflict') return logger.debug({ ...fields, code }, 'reconcile conflicted');
  const stack = code === 'Internal' && error instanceof Error ? { stack: error.stack } : {};
  logger.warn({ ...fields, code, ...stack }, 'reconcile failed');
}
