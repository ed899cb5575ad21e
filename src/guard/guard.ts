import type { Clock, Timer } from '../ports/clock.ts';
import { messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { createKeeper } from './keeper.ts';
import type { MemoryFile } from './memory-file.ts';
import { serveGuard } from './socket-server.ts';
import type { Stopper } from './stopper.ts';
import type { Watchdog } from './watchdog.ts';

/**
 * The guard of one host (docs/design/0003-fencing.md): holds the deadline that the agent arms it with, and from that
 * moment on keeps every failover-eligible container of the host down. It knows neither the API nor the network, and the
 * containers that it does not have on its list do not exist for it. The agent's end changes nothing here.
 */
export interface GuardOptions {
  socketPath: string;
  clock: Clock;
  logger: Logger;
  memory: MemoryFile;
  stopper: Stopper;
  watchdog?: Watchdog;
}

/** How often the deadline is looked at; the wall clock may jump at any time. */
const LOOK_MS = 50;
/** The path of the socket is looked at this often. */
const PLACE_MS = 1_000;
/** While what was to stop is still there after so long, the watchdog is not fed any more. */
const HOPELESS_MS = 5_000;

/** Runs until `signal` is aborted, or until another guard has taken its place. Nothing is stopped because it ends. */
export async function runGuard(options: GuardOptions, signal: AbortSignal): Promise<void> {
  const { socketPath, clock, logger, memory, stopper, watchdog } = options;
  const keeper = createKeeper(clock, memory.read());
  let isExpired = false;
  let cleanMs = clock.monotonicMs();
  let isClean = true;

  const enforce = (): void => {
    const due = keeper.due();
    if ((due !== undefined) !== isExpired) {
      isExpired = due !== undefined;
      const containers = keeper.report().containers.length;
      logger.info({ containers }, isExpired ? 'the deadline has passed' : 'the node may run its containers');
    }
    isClean = due === undefined || due.containers.length === 0;
    if (due !== undefined && !isClean) isClean = stopper.enforce(due) === 0;
    if (isClean) cleanMs = clock.monotonicMs();
    if (clock.monotonicMs() - cleanMs < HOPELESS_MS) watchdog?.feed();
  };

  const server = await serveGuard(socketPath, keeper, {
    logger,
    onOrder: () => memory.write(keeper.memory()),
  });
  logger.info({ ...keeper.report() }, 'the guard is there');
  await new Promise<void>((resolve) => {
    let timer: Timer;
    let placeMs = clock.monotonicMs();
    const tick = (): void => {
      if (signal.aborted) return resolve();
      if (clock.monotonicMs() - placeMs >= PLACE_MS) {
        placeMs = clock.monotonicMs();
        if (!server.isInPlace()) {
          logger.warn({}, 'another guard has taken the socket; this one ends');
          return resolve();
        }
      }
      try {
        enforce();
      } catch (error) {
        logger.error({ error: messageOf(error) }, 'cannot enforce the deadline');
      }
      timer = clock.schedule(LOOK_MS, tick);
    };
    signal.addEventListener('abort', () => (timer?.cancel(), resolve()), { once: true });
    tick();
  });
  server.close();
  // A guard that ends while something runs that must not is as good as one that hangs.
  if (isClean) watchdog?.disarm();
  else watchdog?.leave();
  await memory.settled();
}
