import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { systemClock } from '../ports/clock.ts';
import { HostlerError } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';

/** One run of the etcd program. */
export interface EtcdRun {
  pid: number;
  /** Resolves when it serves clients. @throws Unavailable when it ends or takes too long, with the end of its log */
  serving: Promise<void>;
  /** Resolves when it has ended, with what it said last; never rejects. */
  ended: Promise<string>;
  /** SIGTERM, and SIGKILL after `graceMs`. Resolves when it has ended. */
  stop(graceMs: number): Promise<void>;
}

const keptLines = 20;

export function runEtcd(
  binary: string,
  flags: readonly string[],
  options: { cwd: string; logger: Logger; startTimeoutMs: number },
): EtcdRun {
  const child = spawn(binary, flags, {
    cwd: options.cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
    // A session of its own: a Ctrl-C is for the server, which then stops etcd in its turn.
    detached: true,
    // ETCD_* variables would add to the flags.
    env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin' },
  });
  const tail: string[] = [];
  const serving = Promise.withResolvers<void>();
  // Nobody may be waiting for it any more when it fails.
  serving.promise.catch(() => undefined);
  const lastWords = (): string => tail.join('\n');
  const fail = (why: string): void => {
    serving.reject(new HostlerError('Unavailable', `Cannot start etcd: ${why}\n${lastWords()}`.trimEnd()));
  };
  const timer = systemClock.schedule(options.startTimeoutMs, () =>
    fail(`it did not serve within ${options.startTimeoutMs} ms`),
  );
  if (child.stderr) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      tail.push(line);
      if (tail.length > keptLines) tail.shift();
      forward(line, options.logger);
      if (!line.includes('serving client traffic')) return;
      timer.cancel();
      serving.resolve();
    });
  }
  const ended = whenEnded(child).then((why) => {
    timer.cancel();
    fail(why);
    return `${why}\n${lastWords()}`.trimEnd();
  });
  return {
    pid: child.pid ?? 0,
    serving: serving.promise,
    ended,
    async stop(graceMs) {
      child.kill('SIGTERM');
      const kill = systemClock.schedule(graceMs, () => child.kill('SIGKILL'));
      await ended;
      kill.cancel();
    },
  };
}

/** `close`, unlike `exit`, comes after the last line of the log. */
function whenEnded(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(`it ended with ${signal ?? `code ${code}`}`));
  });
}

/** etcd logs JSON lines; what it calls an error, other than at its own end, users need not act upon. */
function forward(line: string, logger: Logger): void {
  const level = /"level":"(\w+)"/.exec(line)?.[1];
  const isBad = level === 'error' || level === 'fatal' || level === 'panic';
  if (isBad) logger.warn({ line }, 'etcd reports an error');
  else logger.debug({ line }, 'etcd');
}
