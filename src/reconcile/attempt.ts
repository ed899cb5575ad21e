import type { Clock, Timer } from '../ports/clock.ts';
import { withDeadline } from '../ports/deadline.ts';
import { hasCode } from '../ports/errors.ts';

export type Attempt<T> =
  | { outcome: 'done'; value: T }
  | { outcome: 'failed'; error: unknown }
  /** It heeded neither the deadline nor the stop, and still runs; `settled` resolves when it ends after all. */
  | { outcome: 'abandoned'; settled: Promise<unknown> };

/**
 * One run of `run` under a deadline. Comes back in bounded time whatever `run` does: at most `graceMs` after its signal
 * was aborted. What fails after the deadline has failed for that reason: with code `Timeout`.
 */
export async function attempt<T>(
  limits: { clock: Clock; timeoutMs: number; graceMs: number; what: string },
  parent: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<Attempt<T>> {
  const abandoned = Promise.withResolvers<'abandoned'>();
  let grace: Timer | undefined;
  let reason: unknown;
  const running = withDeadline(limits, parent, async (signal) => {
    const onAbort = (): void => {
      reason = signal.reason;
      grace = limits.clock.schedule(limits.graceMs, () => abandoned.resolve('abandoned'));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    return await run(signal);
  }).then(
    (value): Attempt<T> => ({ outcome: 'done', value }),
    (error: unknown): Attempt<T> => ({
      outcome: 'failed',
      error: hasCode(reason, 'Timeout') ? reason : error,
    }),
  );
  const first = await Promise.race([running, abandoned.promise]);
  grace?.cancel();
  return first === 'abandoned' ? { outcome: 'abandoned', settled: running } : first;
}
