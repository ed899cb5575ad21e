import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCompartment } from '../../src/cmd/local/compartment.ts';
import { daemonOf } from '../../src/cmd/local/daemon.ts';
import { tearDown } from '../../src/cmd/local/teardown.ts';
import { hostNames, localPaths } from '../../src/config/local.ts';
import { freePort } from '../support/free-port.ts';

const execute = promisify(execFile);
const HOSTLER = join(import.meta.dirname, '../../bin/hostler');

/** The whole product, as `hostler up` starts it, for one run of the benchmark. */
export interface BenchCluster {
  stateDir: string;
  kubeconfig: string;
  hosts: readonly { name: string; socketPath: string }[];
  /** kubectl with `input` on its standard input. */
  kubectl(argv: readonly string[], input?: string): Promise<string>;
  /** A command inside a host. */
  exec(host: string, argv: readonly string[]): Promise<string>;
  /** Pids of the cluster's own programs, by their parts' names. */
  pids(): Promise<Record<string, number>>;
  /** `hostler up` again: whatever has died or was cut off is there again. */
  up(): Promise<void>;
  down(): Promise<void>;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const INTERRUPTED = 130;

/** @param live whether containers can move while they run */
export async function startBenchCluster({ live = false }: { live?: boolean } = {}): Promise<BenchCluster> {
  const stateDir = await mkdtemp('/var/tmp/hostler-bench-');
  const hostler = async (...argv: string[]): Promise<string> =>
    (await execute(HOSTLER, [...argv, '--state-dir', stateDir], { maxBuffer: 2 ** 26 })).stdout;
  const port = await freePort();
  const down = async (): Promise<void> => {
    for (const signal of SIGNALS) process.off(signal, interrupted);
    await hostler('down');
    await rm(stateDir, { recursive: true, force: true });
  };
  // What was made beside the cluster, it would leave alone.
  const interrupted = (): void => {
    process.stderr.write('interrupted: the cluster is removed\n');
    void tearDown(stateDir)
      .then(() => rm(stateDir, { recursive: true, force: true }))
      .finally(() => process.exit(INTERRUPTED));
  };
  for (const signal of SIGNALS) process.once(signal, interrupted);
  const up = async (): Promise<void> => {
    await hostler('up', '--hosts', '3', '--port', String(port), ...(live ? ['--live'] : []));
  };
  try {
    await up();
  } catch (error) {
    await down();
    throw error;
  }
  const { kubeconfig } = localPaths(stateDir);
  return {
    stateDir,
    kubeconfig,
    hosts: hostNames(3).map((name) => {
      const directory = findCompartment(stateDir, name)?.directory ?? '';
      return { name, socketPath: daemonOf('incus', directory, { program: '' }).socketPath };
    }),
    async kubectl(argv, input) {
      const run = execute('kubectl', ['--kubeconfig', kubeconfig, ...argv], { maxBuffer: 2 ** 26 });
      run.child.stdin?.end(input ?? '');
      return (await run).stdout;
    },
    async exec(host, argv) {
      const { stdout } = await execute(HOSTLER, ['exec', '--state-dir', stateDir, host, '--', ...argv]);
      return stdout;
    },
    async pids() {
      const status = JSON.parse(await hostler('status', '--json')) as {
        parts: { part: string; pid?: number }[];
      };
      return Object.fromEntries(
        status.parts.flatMap(({ part, pid }) => (pid === undefined ? [] : [[part, pid]])),
      );
    },
    up,
    down,
  };
}
