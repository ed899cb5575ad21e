import { mkdirSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { Command, Option } from 'commander';
import { type GuardFlags, guardPaths, parseGuardConfig } from '../config/guard.ts';
import { runGuard } from '../guard/guard.ts';
import { openMemoryFile } from '../guard/memory-file.ts';
import { createProcessFinder } from '../guard/processes.ts';
import { createStopper, forcedStop, killProcess } from '../guard/stopper.ts';
import { openWatchdog } from '../guard/watchdog.ts';
import { systemClock as clock } from '../ports/clock.ts';
import { messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { createLogger, type LogLevel } from '../telemetry/log.ts';
import { runUntilStopped } from './control-plane/signals.ts';

/** `hostler guard`: beside each agent, which starts it where nothing else does. */
export function guardCommand(): Command {
  return new Command('guard')
    .description("stop the host's failover-eligible containers when its permission to run them ends")
    .requiredOption('--state-dir <folder>', "the agent's")
    .requiredOption('--incus <address>', "the daemon's socket: unix:/path/to/unix.socket")
    .option(
      '--lxc-path <folder>',
      'where the daemon keeps its containers (default: containers, next to its socket)',
    )
    .option('--watchdog <device>', 'have the kernel reset the host if the guard hangs: /dev/watchdog')
    .addOption(
      new Option('--log-level <level>', 'what is logged')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action(async (flags: GuardFlags & { logLevel: LogLevel }) => {
      const { stateDir, daemonSocket, lxcPath, watchdog } = parseGuardConfig(flags);
      const logger = createLogger(flags.logLevel, { process: 'guard' });
      const paths = guardPaths(stateDir);
      mkdirSync(stateDir, { recursive: true, mode: 0o700 });
      preferMe(logger);
      await runUntilStopped((signal) =>
        runGuard(
          {
            socketPath: paths.socket,
            clock,
            logger,
            memory: openMemoryFile(paths.memory, logger),
            stopper: createStopper({
              processes: createProcessFinder(lxcPath),
              askDaemon: forcedStop(daemonSocket, logger),
              kill: killProcess(logger),
              logger,
            }),
            ...(watchdog === undefined ? {} : { watchdog: openWatchdog(watchdog) }),
          },
          signal,
        ),
      );
    });
}

/** A host that is short of time or memory does without anything else first. */
function preferMe(logger: Logger): void {
  for (const prefer of [() => setPriority(-20), () => writeFileSync('/proc/self/oom_score_adj', '-1000')]) {
    try {
      prefer();
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'the guard has no priority over other processes');
    }
  }
}
