import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * A process that outlives its creator, as it is found again from disk. A pid alone is used again by the kernel, so that
 * it never stands without the start time (clock ticks since boot, field 22 of /proc/PID/stat): only both together say
 * that a process still is the one that was recorded, and only then is it ever signalled.
 */
export interface ProcessIdentity {
  pid: number;
  startTicks: number;
}

/** Parses a line of /proc/PID/stat. @returns undefined when it is not one */
export function parseStat(line: string): ProcessIdentity | undefined {
  const pid = Number.parseInt(line, 10);
  // The command name, in parentheses, may itself hold spaces and parentheses.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const startTicks = Number(fields[19]);
  return pid > 0 && startTicks > 0 ? { pid, startTicks } : undefined;
}

/** Reads what a wrapper script left behind with `cat /proc/$$/stat`. */
export function readIdentity(path: string): ProcessIdentity | undefined {
  return parseStat(readOrEmpty(path));
}

/** The process that has `pid` now; undefined when there is none or it is a zombie. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z') ? undefined : parseStat(stat);
}

export function isRunning({ pid, startTicks }: ProcessIdentity): boolean {
  return identityOf(pid)?.startTicks === startTicks;
}

/** Signals the process if it still is the recorded one. @returns whether it was there */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** @returns whether it ended within `timeoutMs` */
export async function waitForExit(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isRunning(identity)) {
    if (performance.now() > deadline) return false;
    await delay(10);
  }
  return true;
}

/** SIGTERM, then SIGKILL after `graceMs` (0: SIGKILL at once). @throws when it survives even that for 10 s */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<void> {
  if (graceMs > 0 && signalProcess(identity, 'SIGTERM') && (await waitForExit(identity, graceMs))) return;
  signalProcess(identity, 'SIGKILL');
  if (!(await waitForExit(identity, 10_000))) {
    throw new Error(`Process ${identity.pid} is still there 10 s after SIGKILL`);
  }
}

export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** First children of `pid`, by the parent's pid in /proc/PID/stat. */
export function childrenOf(pid: number): number[] {
  return allPids().filter((child) => {
    const stat = readOrEmpty(`/proc/${child}/stat`);
    return Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]) === pid;
  });
}

/** The first process whose command line has these arguments, one after the other. */
export function findByArguments(wanted: readonly string[]): ProcessIdentity | undefined {
  const sequence = `\0${wanted.join('\0')}\0`;
  return allPids()
    .filter((pid) => readOrEmpty(`/proc/${pid}/cmdline`).includes(sequence))
    .map(identityOf)
    .find((identity) => identity !== undefined);
}

/**
 * The process with `inner.pid` inside the pid namespace of `namespacePid`, as seen from here.
 * @returns undefined when it has ended
 */
export function outerIdentity(namespacePid: number, inner: ProcessIdentity): ProcessIdentity | undefined {
  const namespace = linkOrEmpty(`/proc/${namespacePid}/ns/pid`);
  if (namespace === '') return undefined;
  for (const pid of allPids()) {
    if (linkOrEmpty(`/proc/${pid}/ns/pid`) !== namespace) continue;
    const line = /^NSpid:\s+(.*)$/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1];
    if (Number(line?.split(/\s+/).at(-1)) !== inner.pid) continue;
    const identity = identityOf(pid);
    return identity?.startTicks === inner.startTicks ? identity : undefined;
  }
  return undefined;
}

export function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Gone, or never was there: for a process in /proc the same thing.
    return '';
  }
}

export function linkOrEmpty(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // The process ended while we looked at it.
    return '';
  }
}

export interface RunOptions {
  /** Standard input. */
  input?: string;
  env?: NodeJS.ProcessEnv;
  /** Default 60 s; the command and its children are killed then, and the call rejects. */
  timeoutMs?: number;
  /** Resolve whatever the exit code is. Default: a non-zero code rejects. */
  allowFailure?: boolean;
  signal?: AbortSignal | undefined;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end, in a process group of its own, so that a time-out ends its children too. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [command = '', ...rest] = argv;
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
  const child = spawn(command, rest, { env: options.env ?? process.env, detached: true });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  // A command that does not read its input closes the pipe: its exit code tells the story.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const timeoutMs = options.timeoutMs ?? 60_000;
  const give = (why: string): void => {
    killGroup(child);
    reject(new Error(`${argv.join(' ')}: ${why}${tail(output)}`));
  };
  const timer = setTimeout(() => give(`no end after ${timeoutMs / 1000} s`), timeoutMs);
  const onAbort = (): void => give('cancelled');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  child.once('error', (error) => reject(new Error(`Cannot run ${command}`, { cause: error })));
  child.once('close', (code, signal) => {
    if (code === 0 || (options.allowFailure === true && code !== null)) resolve({ code, ...output });
    else reject(new Error(`${argv.join(' ')}: ended with ${signal ?? `code ${code}`}${tail(output)}`));
  });
  return promise.finally(() => {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function tail({ stdout, stderr }: { stdout: string; stderr: string }): string {
  const text = (stderr.trim() || stdout.trim()).slice(-2000);
  return text === '' ? '' : `\n${text}`;
}
