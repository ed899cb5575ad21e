import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** One process of `hostler`, run from the sources; the kernel kills it when the test's process is gone. */
export interface HostlerProcess {
  readonly pid: number;
  /** What it wrote so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when a line of `stream` matches. @throws when it ends before, or after `timeoutMs` (default 20 s) */
  says(stream: 'stdout' | 'stderr', pattern: RegExp, timeoutMs?: number): Promise<string>;
  signal(name: NodeJS.Signals): void;
  /** Resolves with its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** SIGTERM, and SIGKILL after ten seconds. Idempotent. */
  stop(): Promise<number | NodeJS.Signals>;
}

const PROGRAM = fileURLToPath(new URL('hostler-program.ts', import.meta.url));

export function startHostler(args: readonly string[], env: Record<string, string> = {}): HostlerProcess {
  const child = spawn('setpriv', ['--pdeathsig=KILL', process.execPath, '--no-warnings', PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  const output = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk: Buffer) => {
      output[stream] += chunk.toString();
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 0));
  });
  return {
    pid: child.pid ?? 0,
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
    signal: (name) => void child.kill(name),
    ended,
    says: (stream, pattern, timeoutMs = 20_000) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void): void => {
          clearTimeout(timer);
          listeners.delete(look);
          settle();
        };
        const look = (): void => {
          const [found] = pattern.exec(output[stream]) ?? [];
          if (found !== undefined) finish(() => resolve(found));
        };
        const fail = (why: string): void =>
          finish(() => reject(new Error(`${why}\n${output.stdout}\n${output.stderr.slice(-4_000)}`)));
        const timer = setTimeout(() => fail(`did not say ${pattern} within ${timeoutMs} ms`), timeoutMs);
        listeners.add(look);
        void ended.then((end) => fail(`ended with ${end} before it said ${pattern}`));
        look();
      }),
    stop: () => stopChild(child, ended),
  };
}

async function stopChild(
  child: ChildProcess,
  ended: Promise<number | NodeJS.Signals>,
): Promise<number | NodeJS.Signals> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  const end = await ended;
  clearTimeout(timer);
  return end;
}
