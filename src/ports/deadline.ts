import type { Clock } from './clock.ts';
import { HostlerError } from './errors.ts';

/**
 * Runs `run` with a signal that is aborted when `parent` is, or after `timeoutMs` with a `Timeout` HostlerError as its
 * reason. Leaves neither timer nor listener behind. `run` must heed its signal: its promise is awaited.
 * @param what for the message: `Timeout: <what> took longer than 5000 ms`
 */
export async function withDeadline<T>(
  { clock, timeoutMs, what }: { clock: Clock; timeoutMs: number; what: string },
  parent: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = clock.schedule(timeoutMs, () =>
    controller.abort(new HostlerError('Timeout', `${what} took longer than ${timeoutMs} ms`)),
  );
  const onAbort = (): void => {
    timer.cancel();
    controller.abort(parent.reason);
  };
  if (parent.aborted) onAbort();
  parent.addEventListener('abort', onAbort, { once: true });
  try {
    return await run(controller.signal);
  } finally {
    timer.cancel();
    parent.removeEventListener('abort', onAbort);
  }
}
