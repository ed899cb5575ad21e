/**
 * Time, as everything above the adapters sees it. Two readings that must never be mixed: `nowMs` may jump (a person or
 * NTP sets it) and is only for time stamps that people read; every deadline and every wait uses `monotonicMs`.
 */
export interface Clock {
  /** Wall-clock milliseconds since 1970-01-01 UTC. */
  nowMs(): number;
  /**
   * Milliseconds that only grow, from an arbitrary start; goes on while the process is stopped by a signal, stands still
   * while the machine is suspended. The system clock's is the same for all processes of a machine.
   */
  monotonicMs(): number;
  /** Calls `run` once, `delayMs` (>= 0) from now. */
  schedule(delayMs: number, run: () => void): Timer;
}

export interface Timer {
  /** Idempotent; after it returns, the callback is not called any more. */
  cancel(): void;
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  schedule(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * Waits for `delayMs`, or until `signal` is aborted.
 * @returns `true` when the whole time went by, `false` when the signal cut it short; never rejects
 */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const onAbort = (): void => {
      timer.cancel();
      resolve(false);
    };
    const timer = clock.schedule(delayMs, () => {
      signal.removeEventListener('abort', onAbort);
      resolve(true);
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
