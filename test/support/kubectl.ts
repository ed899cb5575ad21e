import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The stock kubectl with a home and cache of its own, so that tests neither see nor leave anything. */
export interface Kubectl {
  /** Runs to its end. @throws Error with kubectl's own words when the exit code is not `code` (default 0) */
  run(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult>;
  /** Like `run`, and gives standard output. */
  text(args: readonly string[], options?: KubectlOptions): Promise<string>;
  /** Like `run` with `-o json`. */
  json<T>(args: readonly string[]): Promise<T>;
  /** `kubectl apply -f -` of `manifest`. */
  apply(manifest: string | object, ...args: string[]): Promise<string>;
  /** One that goes on until it is stopped (`get -w`). */
  start(args: readonly string[]): RunningKubectl;
  /** A file in the private home. @returns its path */
  file(name: string, content: string, mode?: number): Promise<string>;
  close(): Promise<void>;
}

export interface KubectlOptions {
  input?: string;
  /** The exit code that is right. @defaultValue 0; `'any'` takes all */
  code?: number | 'any';
  env?: Record<string, string>;
  /** @defaultValue 20000 */
  deadlineMs?: number;
}

export interface KubectlResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunningKubectl {
  /** Resolves with all of the output so far once it matches. */
  until: (pattern: RegExp) => Promise<string>;
  stop(): Promise<KubectlResult>;
}

const DEADLINE_MS = 20_000;

export async function createKubectl(kubeconfigPath: string, binary = 'kubectl'): Promise<Kubectl> {
  const home = await mkdtemp(join(tmpdir(), 'hostler-kubectl-'));
  const running = new Set<ChildProcess>();
  const start = (args: readonly string[], env: Record<string, string> = {}): Child => {
    const child = spawn(binary, args, {
      cwd: home,
      env: { PATH: process.env['PATH'] ?? '', HOME: home, KUBECONFIG: kubeconfigPath, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    running.add(child);
    return collect(child, () => running.delete(child));
  };
  const run = async (args: readonly string[], options: KubectlOptions = {}): Promise<KubectlResult> => {
    const started = start(args, options.env);
    started.child.stdin?.end(options.input ?? '');
    const timer = setTimeout(() => started.child.kill('SIGKILL'), options.deadlineMs ?? DEADLINE_MS);
    const result = await started.ended;
    clearTimeout(timer);
    const { code = 0 } = options;
    if (code !== 'any' && result.code !== code) throw new Error(failure(args, result, options.input));
    return result;
  };
  return {
    run,
    text: async (args, options) => (await run(args, options)).stdout,
    json: async <T>(args: readonly string[]) => JSON.parse((await run([...args, '-o', 'json'])).stdout) as T,
    apply: async (manifest, ...args) => {
      const input = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
      return (await run(['apply', '-f', '-', ...args], { input })).stdout;
    },
    start(args) {
      const started = start(args);
      return {
        until: started.until,
        async stop() {
          started.child.kill('SIGTERM');
          return started.ended;
        },
      };
    },
    async file(name, content, mode = 0o644) {
      const path = join(home, name);
      await writeFile(path, content, { mode });
      return path;
    },
    async close() {
      for (const child of running) child.kill('SIGKILL');
      await rm(home, { recursive: true, force: true });
    },
  };
}

interface Child {
  child: ChildProcess;
  ended: Promise<KubectlResult>;
  until: (pattern: RegExp) => Promise<string>;
}

function collect(child: ChildProcess, onEnd: () => void): Child {
  let stdout = '';
  let stderr = '';
  const watchers = new Set<() => void>();
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    for (const look of watchers) look();
  });
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<KubectlResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      onEnd();
      for (const look of watchers) look();
      resolve({ code: code ?? -1, stdout, stderr });
    });
  });
  return {
    child,
    ended,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const fail = (why: string): void => finish(new Error(`${why}: ${stdout}${stderr}`));
        const timer = setTimeout(() => fail(`kubectl did not print ${String(pattern)}`), DEADLINE_MS);
        const finish = (error?: Error): void => {
          clearTimeout(timer);
          watchers.delete(look);
          if (error === undefined) resolve(stdout);
          else reject(error);
        };
        const look = (): void => {
          if (pattern.test(stdout)) finish();
          else if (child.exitCode !== null) fail('kubectl ended');
        };
        watchers.add(look);
        look();
      }),
  };
}

function failure(args: readonly string[], { code, stdout, stderr }: KubectlResult, input = ''): string {
  const said = `${stdout}${stderr}`.trim();
  return `kubectl ${args.join(' ')} ended with ${code}:\n${said}${input === '' ? '' : `\nits input:\n${input}`}`;
}
