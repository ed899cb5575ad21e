import { sleep } from '../../ports/clock.ts';
import { hasCode, messageOf } from '../../ports/errors.ts';
import type { PluginContext } from './access.ts';

export type Ending<T> = { is: 'reached'; value: T } | { is: 'timedOut' | 'interrupted' };

const EVERY_MS = 250;
/** An API that is away for longer is told of. */
const PATIENCE_MS = 3_000;

/**
 * Looks again and again until `read` gives something other than undefined. An API that does not answer is no end: what was
 * asked for goes on without anybody who looks, and the look does when it is back.
 * @param timeoutMs undefined: none
 * @throws what `read` throws for good: NotFound, Forbidden, Unauthorized, Invalid
 */
export async function lookUntil<T>(
  { clock, errors, signal }: PluginContext,
  timeoutMs: number | undefined,
  read: () => Promise<T | undefined>,
): Promise<Ending<T>> {
  const startMs = clock.monotonicMs();
  let awayMs: number | undefined;
  let isTold = false;
  while (!signal.aborted) {
    const nowMs = clock.monotonicMs();
    if (timeoutMs !== undefined && nowMs - startMs >= timeoutMs) return { is: 'timedOut' };
    try {
      const value = await read();
      if (value !== undefined) return { is: 'reached', value };
      [awayMs, isTold] = [undefined, false];
    } catch (error) {
      if (signal.aborted) break;
      if (hasCode(error, 'NotFound', 'Forbidden', 'Unauthorized', 'Invalid')) throw error;
      awayMs ??= nowMs;
      if (!isTold && clock.monotonicMs() - awayMs >= PATIENCE_MS) {
        isTold = true;
        errors.write(`The API does not answer: ${messageOf(error)}\n`);
      }
    }
    await sleep(clock, EVERY_MS, signal);
  }
  return { is: 'interrupted' };
}
