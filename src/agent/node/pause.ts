import { type Clock, sleep } from '../../ports/clock.ts';

/** A wait that a change of the state can cut short. */
export interface Pause {
  /** For `ms`, or until `end` is called, or `signal` is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  end(): void;
}

export function createPause(clock: Clock): Pause {
  let current: AbortController | undefined;
  let isDue = false;
  return {
    async wait(ms, signal) {
      if (isDue || signal.aborted) {
        isDue = false;
        return;
      }
      const own = new AbortController();
      current = own;
      const onAbort = (): void => own.abort();
      signal.addEventListener('abort', onAbort, { once: true });
      await sleep(clock, ms, own.signal);
      signal.removeEventListener('abort', onAbort);
      current = undefined;
      isDue = false;
    },
    end() {
      isDue = true;
      current?.abort();
    },
  };
}
