import type { Clock, Timer } from '../ports/clock.ts';
import type { Source } from '../reconcile/source.ts';

/** `source`, whose keys are held back for `delayMs` each, so that sixty changes in a row become one pass. */
export function quietSource(source: Source, clock: Clock, delayMs: number): Source {
  return {
    subscribe(enqueue) {
      const timers = new Map<string, Timer>();
      const unsubscribe = source.subscribe((key) => {
        if (timers.has(key)) return;
        const timer = clock.schedule(delayMs, () => {
          timers.delete(key);
          enqueue(key);
        });
        timers.set(key, timer);
      });
      return () => {
        unsubscribe();
        for (const timer of timers.values()) timer.cancel();
        timers.clear();
      };
    },
  };
}
