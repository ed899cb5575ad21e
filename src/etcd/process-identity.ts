import { readFile, readdir } from 'node:fs/promises';
import { systemClock } from '../ports/clock.ts';

/** One process for ever: a pid is given again, a pid with its start time is not (until the next boot). */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot, from /proc/<pid>/stat. */
  startTicks: string;
}

/** @returns undefined when there is no such process, or it has ended and only waits to be reaped */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readProc(pid, 'stat');
  if (stat === undefined) return undefined;
  // The name, in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  if (startTicks === undefined || state === 'Z' || state === 'X') return undefined;
  return { pid, startTicks };
}

export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  return (await identify(process.pid))?.startTicks === process.startTicks;
}

/** The processes whose arguments hold `argument`, exactly. */
export async function findByArgument(argument: string): Promise<ProcessIdentity[]> {
  const found: ProcessIdentity[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    const identity = await identify(pid);
    const cmdline = (await readProc(pid, 'cmdline')) ?? '';
    if (identity && cmdline.split('\0').includes(argument)) found.push(identity);
  }
  return found;
}

/**
 * Ends a process that is not our child: SIGTERM, and SIGKILL after `graceMs`. Each signal goes only to the very process.
 * @returns false when it was still there `graceMs` after SIGKILL
 */
export async function endProcess(target: ProcessIdentity, graceMs: number): Promise<boolean> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await isAlive(target))) return true;
    sendSignal(target.pid, signal);
    const endMs = systemClock.monotonicMs() + graceMs;
    while (systemClock.monotonicMs() < endMs) {
      if (!(await isAlive(target))) return true;
      await new Promise<void>((resolve) => systemClock.schedule(20, resolve));
    }
  }
  return !(await isAlive(target));
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function readProc(pid: number, file: string): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    // ESRCH: it ended between open and read.
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code)) return undefined;
    throw error;
  }
}
