import { request } from 'node:http';
import { messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { Due } from './keeper.ts';
import type { ProcessFinder } from './processes.ts';

/**
 * Stops containers: by a forced stop of the daemon, which then knows why, as long as there is time for that; then by
 * SIGKILL of what is found of them. It is asked again and again while the deadline is behind: a start that was under way
 * is caught as well, before its init runs where possible.
 */
export interface Stopper {
  /** @returns how many of them still have processes */
  enforce(due: Due): number;
}

export interface StopperDeps {
  processes: ProcessFinder;
  /** Asks the daemon for a forced stop; does not wait. */
  askDaemon: (instance: string, timeoutMs: number) => void;
  kill: (pid: number) => void;
  logger: Logger;
}

export function createStopper({ processes, askDaemon, kill, logger }: StopperDeps): Stopper {
  /** Of whom the daemon was asked, or which were killed, and which have not ended yet. */
  let pending = new Set<string>();

  return {
    enforce({ containers, daemonMs }) {
      const found = processes.find(new Set(containers.map(({ instance }) => instance)));
      for (const instance of pending) {
        if (!found.has(instance)) logger.info({ instance }, 'stopped: the deadline has passed');
      }
      for (const [instance, { init, starting }] of found) {
        const isNew = !pending.has(instance);
        if (isNew) logger.warn({ instance, init, starting, daemonMs }, 'stopping: the deadline has passed');
        if (isNew && daemonMs > 0) askDaemon(instance, daemonMs);
        if (daemonMs > 0 && starting.length === 0) continue;
        for (const pid of init === undefined ? starting : [...starting, init]) kill(pid);
      }
      pending = new Set(found.keys());
      return found.size;
    },
  };
}

/** A forced stop through the daemon's socket. Its failure is no news: what still runs then is killed. */
export function forcedStop(socketPath: string, logger: Logger): StopperDeps['askDaemon'] {
  return (instance, timeoutMs) => {
    const outgoing = request({
      socketPath,
      method: 'PUT',
      path: `/1.0/instances/${encodeURIComponent(instance)}/state`,
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(Math.ceil(timeoutMs)),
    });
    outgoing.once('response', (response) => response.resume());
    outgoing.once('error', (error) =>
      logger.debug({ instance, error: messageOf(error) }, 'no stop by the daemon'),
    );
    outgoing.end(JSON.stringify({ action: 'stop', force: true, timeout: -1 }));
  };
}

export function killProcess(logger: Logger): StopperDeps['kill'] {
  return (pid) => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      logger.error({ pid, error: messageOf(error) }, 'cannot kill');
    }
  };
}
