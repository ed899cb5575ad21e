/**
 * Runs at most `limit` of the functions that it is given at once; the others wait in the order of their arrival. One
 * whose signal is aborted while it waits is never run.
 */
export function createLimiter(limit: number) {
  const waiting: (() => void)[] = [];
  let running = 0;

  const enter = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    if (running < limit) {
      running += 1;
      return;
    }
    const turn = Promise.withResolvers<void>();
    const onAbort = (): void => {
      const index = waiting.indexOf(turn.resolve);
      if (index < 0) return;
      waiting.splice(index, 1);
      turn.reject(signal.reason);
    };
    waiting.push(turn.resolve);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await turn.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  };

  /** The place of the one that leaves goes to the one that waits longest, without being free in between. */
  const leave = (): void => {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  };

  return {
    /** How many run now. */
    running: (): number => running,
    async run<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
      await enter(signal);
      try {
        return await run();
      } finally {
        leave();
      }
    },
  };
}

export type Limiter = ReturnType<typeof createLimiter>;
