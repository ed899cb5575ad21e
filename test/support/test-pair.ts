import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { daemonRequest } from '../../src/cmd/local/daemon.ts';
import { type LocalHost, startHost } from '../../src/cmd/local/host.ts';
import { openNetwork } from '../../src/cmd/local/network.ts';
import { tearDown } from '../../src/cmd/local/teardown.ts';
import { createIncusDriver } from '../../src/incus/driver.ts';
import type { Machine } from '../../src/incus/live.ts';
import { systemClock } from '../../src/ports/clock.ts';
import type { HostDriver } from '../../src/ports/host-driver.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { noMetrics } from '../../src/ports/metrics.ts';
import { type InsideNetwork, openInsideNetwork } from './inside-network.ts';
import { type SocketProxy, startSocketProxy } from './socket-proxy.ts';
import { buildImage } from './test-host.ts';

/** Two real hosts on one link, each with a driver whose connections all go through the host's own network. */
export interface TestPair {
  hosts: readonly [PairedHost, PairedHost];
  /** `file:///…` of the busybox image. */
  image: string;
  directory: string;
  stateDir: string;
  stop(): Promise<void>;
}

export interface PairedHost {
  host: LocalHost;
  driver: HostDriver;
  network: InsideNetwork;
  /** Between driver and daemon. */
  proxy: SocketProxy;
  /** One request to the daemon, past any driver. @returns its metadata */
  ask(method: string, path: string, body?: object): Promise<unknown>;
  /** Where the file of an instance lies, for this process. */
  pathIn(pool: string, name: string, file: string): string;
}

/** Pools of either host: the driver of each is its name. */
export const PAIR_POOLS = { dir: {}, btrfs: { size: '6GiB' } } as const;

/** @param live whether the daemons are started for live moves */
export async function startTestPair(
  runtime: 'incus' | 'lxd',
  { live = false, pools = ['dir'] }: { live?: boolean; pools?: readonly (keyof typeof PAIR_POOLS)[] } = {},
): Promise<TestPair> {
  const stateDir = await mkdtemp(join(tmpdir(), `hostler-pair-`));
  const open: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(open.map((it) => it.stop()));
    await tearDown(stateDir);
  };
  try {
    const network = await openNetwork(stateDir);
    const directory = join(stateDir, 'files');
    await mkdir(directory);
    const started = await Promise.all(
      ['host-1', 'host-2'].map((name) => startHost({ name, stateDir, network, runtime, live })),
    );
    const hosts = await Promise.all(
      started.map((host) => pairedHost({ host, directory, runtime, pools }, open)),
    );
    const image = await buildImage(directory);
    return { hosts: hosts as [PairedHost, PairedHost], image, directory, stateDir, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As the host's agent sees it. */
function machineOf(host: LocalHost): Machine {
  return {
    read: async (path) => (await host.exec(['cat', path])).stdout,
    isExecutable: async (path) => (await host.exec(['test', '-x', path], { allowFailure: true })).code === 0,
    run: async (program, args, path) => (await host.exec([program, ...args], { env: { PATH: path } })).stdout,
  };
}

async function pairedHost(
  {
    host,
    directory,
    runtime,
    pools,
  }: { host: LocalHost; directory: string; runtime: string; pools: readonly (keyof typeof PAIR_POOLS)[] },
  open: { stop(): Promise<void> }[],
): Promise<PairedHost> {
  const ask: PairedHost['ask'] = (method, path, body) => daemonRequest(host.socketPath, method, path, body);
  for (const name of pools) {
    await ask('POST', '/1.0/storage-pools', { name, driver: name, config: PAIR_POOLS[name] });
  }
  const socketPath = join(directory, `${host.name}.sock`);
  const proxy = await startSocketProxy({ path: socketPath }, host.socketPath);
  const inside: InsideNetwork = await openInsideNetwork(host, directory);
  const driver = createIncusDriver({
    endpoint: { socketPath },
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    transferNetwork: inside,
    machine: machineOf(host),
  });
  open.push({ stop: () => driver.close() }, proxy, inside);
  const pathIn: PairedHost['pathIn'] = (pool, name, file) => {
    const root = join(
      host.compartment.directory,
      runtime,
      'storage-pools',
      pool,
      'containers',
      name,
      'rootfs',
    );
    // Pools are mounted in the host's namespace.
    return join(`/proc/${host.compartment.initPid}/root`, root, file);
  };
  return { host, driver, network: inside, proxy, ask, pathIn };
}
