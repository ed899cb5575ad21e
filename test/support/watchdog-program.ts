import { emptyMemory } from '../../src/guard/keeper.ts';
import { runGuard } from '../../src/guard/guard.ts';
import { openWatchdog } from '../../src/guard/watchdog.ts';
import { systemClock } from '../../src/ports/clock.ts';
import { silentLogger } from '../../src/ports/logger.ts';

/** A guard that has nothing to stop and a watchdog to feed. Arguments: path of its socket, device. */
const [socketPath = '', device = ''] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await runGuard(
  {
    socketPath,
    clock: systemClock,
    logger: silentLogger,
    memory: { read: () => emptyMemory, write: () => {}, settled: async () => {} },
    stopper: { enforce: () => 0 },
    watchdog: openWatchdog(device),
  },
  stop.signal,
);
