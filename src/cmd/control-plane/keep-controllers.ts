import { type Clock, sleep } from '../../ports/clock.ts';
import { messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { ControllersProcess } from './run-controllers.ts';

/** Longer than it takes until another replica leads, where there is one. */
const AGAIN_MS = 1_000;

export interface KeptControllers {
  /** Names of the parts that are not ready. */
  unready(): string[];
  /** Resolves when `signal` is aborted and all has ended. */
  ended: Promise<void>;
}

/**
 * Runs the controllers beside an API server, which must outlive them: when they lose the leader lease, because etcd was
 * away, say, everything of theirs is thrown away (informers, facts, connections, what was assumed) and built anew, as a
 * process of their own would be by its supervisor. What should still run of the old ones can write no more: their
 * store looks at their own term before each write.
 */
export function keepControllers(
  create: () => ControllersProcess,
  { clock, logger }: { clock: Clock; logger: Logger },
  signal: AbortSignal,
): KeptControllers {
  let current = create();
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await current.run(signal);
      } catch (error) {
        logger.error({ error: messageOf(error) }, 'controllers ended; starting them anew');
      }
      if (!(await sleep(clock, AGAIN_MS, signal))) return;
      current = create();
    }
  };
  return { unready: () => current.manager.unready(), ended: run() };
}
