import { type Clock, sleep } from '../ports/clock.ts';
import { messageOf } from '../ports/errors.ts';
import type { HostDriver } from '../ports/host-driver.ts';
import type { Logger } from '../ports/logger.ts';
import type { Runnable } from '../reconcile/runnable.ts';

/**
 * Whether the daemon answers: whoever asks it something says how that went, and a quiet daemon is asked for something
 * small from time to time, since events that do not come tell nothing.
 */
export interface HostAvailability {
  readonly probe: Runnable;
  /** The daemon has answered or, with the error, has not. */
  note(fault?: unknown): void;
  /** Monotonic milliseconds since when it has not answered; undefined while it does. */
  awaySinceMs(): number | undefined;
}

export interface HostAvailabilityDeps {
  host: Pick<HostDriver, 'getInstance'>;
  clock: Clock;
  logger: Logger;
  /** The daemon answers again, or has ceased to. */
  onAvailability(): void;
}

const PROBE_MS = 5_000;
/** No Container has an instance of this name. */
const PROBE_NAME = 'hostler-probe';

export function createHostAvailability(deps: HostAvailabilityDeps): HostAvailability {
  const { host, clock, logger } = deps;
  let awaySinceMs: number | undefined;

  const note = (fault?: unknown): void => {
    if ((fault === undefined) === (awaySinceMs === undefined)) return;
    awaySinceMs = fault === undefined ? undefined : clock.monotonicMs();
    if (fault === undefined) logger.info({}, 'the daemon answers again');
    else logger.warn({ error: messageOf(fault) }, 'the daemon does not answer');
    deps.onAvailability();
  };

  return {
    note,
    awaySinceMs: () => awaySinceMs,
    probe: {
      name: 'host-probe',
      async start(signal) {
        while (await sleep(clock, PROBE_MS, signal)) {
          try {
            await host.getInstance(PROBE_NAME, signal);
            note();
          } catch (error) {
            if (!signal.aborted) note(error);
          }
        }
      },
    },
  };
}
