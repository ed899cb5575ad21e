import { join } from 'node:path';
import { createIncusDriver } from '../../../src/incus/driver.ts';
import type { Endpoint } from '../../../src/incus/endpoint.ts';
import { systemClock } from '../../../src/ports/clock.ts';
import type { HostDriver } from '../../../src/ports/host-driver.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { type SocketProxy, startSocketProxy } from '../../support/socket-proxy.ts';
import { startTestHost, type TestHost } from '../../support/test-host.ts';
import type { Bench, Change } from './harness.ts';

const REQUESTS: Record<Change, RegExp> = {
  createInstance: /^POST \/1\.0\/instances /,
  startInstance: /^PUT \/1\.0\/instances\/[^/]+\/state /,
  stopInstance: /^PUT \/1\.0\/instances\/[^/]+\/state /,
  deleteInstance: /^DELETE \/1\.0\/instances\/[^/]+ /,
  ensurePool: /^POST \/1\.0\/storage-pools /,
};

/** A real daemon behind a proxy on its socket. */
export async function startSocketBench(runtime: 'incus' | 'lxd'): Promise<Bench> {
  const testHost = await startTestHost(runtime);
  const socketPath = join(testHost.directory, 'proxy.sock');
  const proxy = await startSocketProxy({ path: socketPath }, testHost.socketPath);
  return {
    ...benchOf(testHost, { socketPath }, [proxy]),
    growsPools: runtime === 'incus',
    loseReply: losing(proxy),
  };
}

/** A real daemon over HTTPS, with certificates on both sides. */
export async function startHttpsBench(runtime: 'incus' | 'lxd'): Promise<Bench> {
  const testHost = await startTestHost(runtime);
  try {
    return benchOf(testHost, await testHost.openHttps(), []);
  } catch (error) {
    await testHost.stop();
    throw error;
  }
}

function losing(proxy: SocketProxy): (change: Change) => void {
  return (change) => proxy.loseReplyTo(REQUESTS[change]);
}

function benchOf(testHost: TestHost, endpoint: Endpoint, proxies: readonly SocketProxy[]): Bench {
  const driver: HostDriver = createIncusDriver({
    endpoint,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
  });
  const { directory, image, pool, network } = testHost;
  return {
    driver,
    directory,
    image,
    pool,
    network,
    growsPools: true,
    makeForeign: (name) => makeForeign(testHost, driver, name),
    removeForeign: async (name) => {
      await operation(testHost, 'PUT', `/1.0/instances/${name}/state`, {
        action: 'stop',
        force: true,
        timeout: -1,
      });
      await operation(testHost, 'DELETE', `/1.0/instances/${name}`);
    },
    killInit: (name) => testHost.killInit(name),
    endInit: async (name, how) => {
      if (how === 'status 3') {
        await inside(testHost, name, "sed -i 's/exit 0/exit 3/' /sbin/init");
        await driver.stopInstance(name, 0, new AbortController().signal);
        await driver.startInstance(name, new AbortController().signal);
      }
      await inside(testHost, name, how === 'poweroff' ? 'poweroff' : 'kill -INT 1');
    },
    stopDaemon: () => testHost.killDaemon(),
    startDaemon: () => testHost.host.startDaemon(),
    stop: async () => {
      await driver.close();
      await Promise.all(proxies.map((proxy) => proxy.stop()));
      await testHost.stop();
    },
  };
}

async function makeForeign(testHost: TestHost, driver: HostDriver, name: string): Promise<void> {
  const fingerprint = await driver.ensureImage(testHost.image, new AbortController().signal);
  await operation(testHost, 'POST', '/1.0/instances', {
    name,
    type: 'container',
    profiles: [],
    devices: { root: { type: 'disk', path: '/', pool: testHost.pool } },
    source: { type: 'image', fingerprint },
  });
  await operation(testHost, 'PUT', `/1.0/instances/${name}/state`, { action: 'start', timeout: -1 });
}

/** The command may go down with the container. */
async function inside(testHost: TestHost, name: string, command: string): Promise<void> {
  const body = { command: ['sh', '-c', command], 'wait-for-websocket': false, interactive: false };
  await operation(testHost, 'POST', `/1.0/instances/${name}/exec`, body);
}

async function operation(testHost: TestHost, method: string, path: string, body?: object): Promise<void> {
  const { id } = (await testHost.ask(method, path, body)) as { id: string };
  await testHost.ask('GET', `/1.0/operations/${id}/wait`);
}
