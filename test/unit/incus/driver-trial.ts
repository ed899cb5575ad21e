import { afterEach, beforeEach } from '@jest/globals';
import { createIncusDriver } from '../../../src/incus/driver.ts';
import type { HostDriver } from '../../../src/ports/host-driver.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { begun, type ScriptedDaemon, startScriptedDaemon, sync } from './scripted-daemon.ts';

/** A driver of a daemon that answers what a test tells it to, on a clock that stands still. */
export interface DriverTrial {
  daemon: ScriptedDaemon;
  clock: FakeClock;
  driver: HostDriver;
  /** Resolves when a request that begins with `what` has come. */
  arrived(what: string): Promise<void>;
}

export const never = new AbortController().signal;

/** One of ours, as the daemon tells of it. */
export const INSTANCE = {
  name: 'web',
  status: 'Stopped',
  created_at: '2026-01-01T00:00:00Z',
  last_used_at: '2025-12-31T00:00:00Z',
  config: { 'user.hostler.managed': 'true', 'user.hostler.uid': 'u1' },
  devices: {},
};

/** Another one for each test of the block that calls this. */
export function driverTrials(): DriverTrial {
  let now: Awaited<ReturnType<typeof start>>;
  beforeEach(async () => {
    now = await start();
  });
  afterEach(() => now.stop());
  return {
    get daemon() {
      return now.daemon;
    },
    get clock() {
      return now.clock;
    },
    get driver() {
      return now.driver;
    },
    arrived: (what) => now.arrived(what),
  };
}

async function start() {
  const daemon = await startScriptedDaemon();
  const clock = createFakeClock();
  const driver = createIncusDriver({
    endpoint: { socketPath: daemon.socketPath },
    clock,
    logger: silentLogger,
    metrics: noMetrics,
    requestTimeoutMs: 1_000,
    operationTimeoutMs: 20_000,
    remotes: { images: { url: 'https://images.example', protocol: 'simplestreams' } },
  });
  const extensions = ['instance_create_start', 'instance_auto_restart'];
  daemon.answers.set('GET /1.0', sync({ api_extensions: extensions }));
  daemon.answers.set('GET /1.0/instances/web', sync(INSTANCE));
  daemon.answers.set('PUT /1.0/instances/web/state', begun('op'));
  return {
    daemon,
    clock,
    driver,
    async arrived(what: string): Promise<void> {
      while (!daemon.requests.some((request) => request.startsWith(what))) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async stop(): Promise<void> {
      await driver.close();
      await daemon.stop();
    },
  };
}
