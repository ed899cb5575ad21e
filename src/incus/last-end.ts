import { type Clock, sleep } from '../ports/clock.ts';
import type { LastEnd } from '../ports/host-driver.ts';
import type { Api } from './api.ts';
import { CLEARING_POLL_MS, CLEARING_POLLS, type InstanceView, pathOf } from './instance.ts';

/**
 * How an instance ended. Neither event nor status tells; liblxc's own log does, at the level that settings.ts asks for.
 * The daemon begins a new log with each start, so that it is all about the last run. Seen with Incus 6.0 and LXD 5.0.
 */

/** The end stands in the last few hundred bytes; commands that were run inside may have added to the log before. */
const TAIL_BYTES = 16_384;

const STARTED = /Started "[^\n]*" with pid "\d+"/g;
const ENDED = /Child <\d+> ended on (?:error \((\d+)\)|signal [^\n]*?\((\d+)\))/;
/** The hook that liblxc runs at every end, with the namespaces still there. */
const STOP_HOOK = /Executing script "[^\n]* stopns" for container/;
/** By which the kernel ends the init of a PID namespace that called reboot(2). */
const POWERED_OFF = 2;
const REBOOTED = 1;

/** The init could not be run at all; the hook of an end runs all the same. */
const NOT_STARTED = /Failed to spawn container/;
/** The first of its errors is the cause of the others. */
const ERROR_LINE = / ERROR +\S+ - \S+:\d+ - (.+)/;

const UNKNOWN: LastEnd = { kind: 'unknown', message: 'How it ended is not known' };

/** While it clears up after an end, the daemon says Stopped, Running and Stopped again: what has ended is waited for. */
export async function getLastEnd(
  { api, clock }: { api: Api; clock: Clock },
  name: string,
  signal: AbortSignal,
): Promise<LastEnd> {
  for (let polls = 0; polls < CLEARING_POLLS; polls++) {
    const [view, log] = await Promise.all([
      api.find<InstanceView>(pathOf(name), signal),
      api.tail(`${pathOf(name)}/logs/lxc.log`, TAIL_BYTES, signal),
    ]);
    if (view === undefined || log === undefined) return UNKNOWN;
    if (view.status === 'Stopped') {
      return lastEndIn(log, view.config['volatile.last_state.power'] === 'RUNNING');
    }
    if (!hasEnded(log) || !(await sleep(clock, CLEARING_POLL_MS, signal))) return UNKNOWN;
  }
  return UNKNOWN;
}

function hasEnded(log: string): boolean {
  const run = lastRunIn(log);
  return [NOT_STARTED, ENDED, STOP_HOOK].some((line) => line.test(run));
}

/**
 * @param log the end of the log of the last run
 * @param isToRun whether the daemon has noted that the instance is to run again: it was not there when it ended, or
 * ended it itself because the host went down
 */
export function lastEndIn(log: string, isToRun: boolean): LastEnd {
  const run = lastRunIn(log);
  if (NOT_STARTED.test(run)) return notStarted(run);
  const [, status, signal] = ENDED.exec(run) ?? [];
  if (status !== undefined) return { kind: 'error', message: `Exited with status ${status}` };
  if (signal !== undefined) return endedBySignal(Number(signal), isToRun);
  if (!STOP_HOOK.test(run)) return UNKNOWN;
  return clean('Exited with status 0', isToRun);
}

function notStarted(run: string): LastEnd {
  const why = ERROR_LINE.exec(run)?.[1] ?? 'the log of its start does not say why';
  return { kind: 'error', message: `Could not be started: ${why}` };
}

function lastRunIn(log: string): string {
  const last = [...log.matchAll(STARTED)].at(-1);
  return last === undefined ? log : log.slice(last.index);
}

function endedBySignal(signal: number, isToRun: boolean): LastEnd {
  if (signal === POWERED_OFF) return clean('Powered itself off', isToRun);
  if (signal === REBOOTED) return { kind: 'unknown', message: 'Rebooted itself' };
  return { kind: 'error', message: `Killed by signal ${signal}` };
}

function clean(message: string, isToRun: boolean): LastEnd {
  return isToRun
    ? { kind: 'unknown', message: 'Stopped together with its host or daemon' }
    : { kind: 'clean', message };
}
