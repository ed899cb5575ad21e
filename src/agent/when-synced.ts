import { type Clock, sleep } from '../ports/clock.ts';
import type { Runnable } from '../reconcile/runnable.ts';

const SYNC_POLL_MS = 100;

/** From the first full list on, what the API does not have is known to be gone: everything is looked at once more. */
export function whenSynced(
  name: string,
  informers: readonly { hasSynced(): boolean }[],
  { clock, run }: { clock: Clock; run: () => void },
): Runnable {
  const hasSynced = (): boolean => informers.every((informer) => informer.hasSynced());
  return {
    name,
    ready: hasSynced,
    async start(signal) {
      while (!hasSynced()) {
        if (!(await sleep(clock, SYNC_POLL_MS, signal))) return;
      }
      run();
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    },
  };
}
