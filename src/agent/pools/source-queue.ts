import type { Clock } from '../../ports/clock.ts';
import { HostlerError } from '../../ports/errors.ts';

/**
 * Runs calls on one source one after the other, each with a deadline. A call into a filesystem whose server is away cannot be
 * taken back, and holds one of the few threads that Node.js has for all files: while one hangs, no other begins.
 */
export function createSourceQueue(clock: Clock, deadlineMs: number) {
  const last = new Map<string, Promise<void>>();

  /** @throws Timeout when it is not done in time; whether it happens after all is not known if it had begun */
  return async <T>(source: string, run: () => Promise<T>): Promise<T> => {
    const before = last.get(source);
    const unresponsive = new HostlerError('Timeout', `The filesystem at ${source} does not answer`);
    let isGivenUp = false;
    const turn = async (): Promise<T> => {
      await before;
      if (isGivenUp) throw unresponsive;
      return await run();
    };
    const result = turn();
    const settled = settle(result);
    last.set(source, settled);
    const gaveUp = Promise.withResolvers<never>();
    const timer = clock.schedule(deadlineMs, () => {
      isGivenUp = true;
      gaveUp.reject(unresponsive);
    });
    try {
      return await Promise.race([result, gaveUp.promise]);
    } finally {
      timer.cancel();
      if (!isGivenUp && last.get(source) === settled) last.delete(source);
    }
  };
}

/** Resolves when `promise` has come to its end, whatever that was: its caller hears of it. */
async function settle(promise: Promise<unknown>): Promise<void> {
  await Promise.allSettled([promise]);
}
