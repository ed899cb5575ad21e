import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';

/** A real etcd of its own for one test file; it dies with the process that started it. */
export interface EtcdServer {
  /** `http://127.0.0.1:<port>`; the same after `restart`. */
  endpoint: string;
  dataDir: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Ends it and removes its data. Idempotent. */
  stop(): Promise<void>;
  /** Sends a signal; waits for the end when it is SIGKILL, SIGTERM or SIGINT. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same data and port, after kill. */
  restart(): Promise<void>;
}

export interface EtcdServerOptions {
  /** @defaultValue `etcd` */
  binary?: string;
  /** Further flags. */
  flags?: readonly string[];
  /** @defaultValue 15000 */
  startTimeoutMs?: number;
}

export async function startEtcd(options: EtcdServerOptions = {}): Promise<EtcdServer> {
  const folder = await mkdtemp(join(tmpdir(), 'hostler-etcd-'));
  const dataDir = join(folder, 'data');
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  let child: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    child = spawnEtcd(folder, endpoint, options);
    try {
      await waitUntilServing(child, options.startTimeoutMs ?? 15_000);
    } catch (error) {
      await end(child, 'SIGKILL');
      throw error;
    }
  };
  try {
    await start();
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }

  return {
    endpoint,
    dataDir,
    get pid() {
      return child?.pid ?? 0;
    },
    async stop() {
      if (child) await end(child, 'SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
    async kill(signal) {
      if (!child) return;
      if (['SIGKILL', 'SIGTERM', 'SIGINT'].includes(signal)) await end(child, signal);
      else child.kill(signal);
    },
    restart: start,
  };
}

/** `setpriv --pdeathsig` has the kernel kill etcd when its parent is gone, however that ended. */
function spawnEtcd(folder: string, endpoint: string, options: EtcdServerOptions): ChildProcess {
  const peer = 'unix://peer:0';
  return spawn(
    'setpriv',
    [
      '--pdeathsig=KILL',
      options.binary ?? 'etcd',
      '--name=test',
      `--data-dir=${join(folder, 'data')}`,
      `--listen-client-urls=${endpoint}`,
      `--advertise-client-urls=${endpoint}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=test=${peer}`,
      '--heartbeat-interval=50',
      '--election-timeout=500',
      '--max-request-bytes=2097152',
      '--experimental-watch-progress-notify-interval=1s',
      '--logger=zap',
      '--log-outputs=stderr',
      ...(options.flags ?? []),
    ],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  );
}

function waitUntilServing(child: ChildProcess, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    const timer = setTimeout(() => fail(`did not serve within ${timeoutMs} ms`), timeoutMs);
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new Error(`etcd ${why}: ${log.slice(-2_000)}`));
    };
    child.once('error', (error) => fail(`cannot be started (${error.message})`));
    child.once('exit', (code, signal) => fail(`ended with ${code ?? signal}`));
    child.stderr?.on('data', (chunk: Buffer) => {
      log = `${log}${chunk.toString()}`.slice(-8_000);
      if (!log.includes('serving client traffic')) return;
      clearTimeout(timer);
      resolve();
    });
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(timer);
}
