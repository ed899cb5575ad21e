import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { guardPaths } from '../../../src/config/guard.ts';
import { createGuardClient } from '../../../src/guard/client.ts';
import { createIncusDriver } from '../../../src/incus/driver.ts';
import { defaultTiming } from '../../../src/plan/failover/timing.ts';
import { sleep, systemClock as clock } from '../../../src/ports/clock.ts';
import type { Guard, GuardedContainer, GuardLease } from '../../../src/ports/guard.ts';
import type { HostDriver } from '../../../src/ports/host-driver.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';
import { noMetrics as metrics } from '../../../src/ports/metrics.ts';
import { startTestHost, type TestHost, whyNoHost } from '../../support/test-host.ts';

/** The real guard beside a real Incus: what it stops, when, and what it leaves alone. */
const skipped = whyNoHost('incus');
const suite = skipped === undefined ? describe : describe.skip;
const never = new AbortController().signal;
const PROGRAM = fileURLToPath(new URL('../../support/hostler-program.ts', import.meta.url));
const FENCE_DELAY_MS = 3_000;

suite('hostler guard on a real host', () => {
  let testHost: TestHost;
  let driver: HostDriver;
  let folder: string;
  let guard: Guard;
  let guards = 0;

  const web = { instance: 'web--default', uid: 'uid-web', term: 1 };
  const local = { instance: 'local--default', uid: 'uid-local', term: 1 };
  const leaseFor = (ms: number): GuardLease => ({
    term: 1,
    deadlineMs: clock.monotonicMs() + ms,
    wallDeadlineMs: clock.nowMs() + ms,
    revoked: false,
    timing: { ...defaultTiming, fenceDelayMs: FENCE_DELAY_MS },
    liveUntilMs: Number.NEGATIVE_INFINITY,
    startMarginMs: 0,
  });

  const create = async ({ instance, uid }: GuardedContainer): Promise<void> => {
    const imageFingerprint = await driver.ensureImage(testHost.image, never);
    const [name = '', namespace = ''] = instance.split('--');
    const mark = { uid, namespace, name, epoch: 1, generation: 1 };
    const spec = {
      name: instance,
      mark,
      imageFingerprint,
      rootPool: testHost.pool,
      networks: [],
      config: {},
    };
    await driver.createInstance(spec, { start: true }, never);
  };

  /** The init of a container, as the machine sees it, found past daemon and guard: by its control group. */
  const initOf = async (instance: string): Promise<number | undefined> => {
    for (const pid of await readdir('/proc')) {
      if (/^\d+$/.test(pid) && (await isOf(instance, pid))) return Number(pid);
    }
    return undefined;
  };
  const isOf = async (instance: string, pid: number | string): Promise<boolean> => {
    const group = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    return group.includes(`lxc.payload.${instance}\n`) && group.includes(ownGroup);
  };
  let ownGroup: string;

  /** @returns after how many milliseconds it had ended */
  const ended = async (instance: string, withinMs: number): Promise<number> => {
    const startMs = clock.monotonicMs();
    for (;;) {
      const pid = await initOf(instance);
      if (pid === undefined) return clock.monotonicMs() - startMs;
      // All of /proc is looked through once it has gone, and not a hundred times a second.
      while (await isOf(instance, pid)) {
        if (clock.monotonicMs() - startMs > withinMs)
          throw new Error(`${instance} runs after ${withinMs} ms`);
        await sleep(clock, 10, never);
      }
    }
  };

  /** A daemon that was frozen or away has yet to notice the end of what was killed meanwhile. */
  const removed = async (instance: string, uid: string): Promise<void> => {
    const untilMs = clock.monotonicMs() + 15_000;
    for (;;) {
      try {
        await driver.stopInstance(instance, 0, never);
        return await driver.deleteInstance(instance, uid, never);
      } catch (error) {
        if (clock.monotonicMs() > untilMs) throw error;
        await sleep(clock, 100, never);
      }
    }
  };

  const startGuard = async (): Promise<void> => {
    guards += 1;
    const argv = ['guard', '--state-dir', folder, '--incus', `unix:${testHost.socketPath}`];
    await testHost.host.spawn(`guard-${guards}`, [process.execPath, '--no-warnings', PROGRAM, ...argv], {
      logFile: join(folder, 'guard.log'),
      env: { NODE_OPTIONS: '' },
    });
    guard = createGuardClient({ socketPath: guardPaths(folder).socket, clock });
    const untilMs = clock.monotonicMs() + 10_000;
    for (;;) {
      const isThere = await guard.connect(never).then(
        () => true,
        () => false,
      );
      if (isThere) return;
      if (clock.monotonicMs() > untilMs) throw new Error(await readFile(join(folder, 'guard.log'), 'utf8'));
      await sleep(clock, 50, never);
    }
  };
  const signalGuard = (signal: NodeJS.Signals): void => {
    const identity = testHost.host.compartment.part(`guard-${guards}`);
    if (identity !== undefined) process.kill(identity.pid, signal);
  };

  beforeAll(async () => {
    testHost = await startTestHost('incus');
    driver = createIncusDriver({
      endpoint: { socketPath: testHost.socketPath },
      remotes: {},
      clock,
      logger,
      metrics,
    });
    const groups = await readFile(`/proc/${testHost.host.compartment.initPid}/cgroup`, 'utf8');
    ownGroup = /hostler-[0-9a-f]+/.exec(groups)?.[0] ?? 'unknown';
  }, 120_000);

  afterAll(async () => {
    await driver?.close();
    await testHost?.stop();
  }, 60_000);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hostler-guard-'));
    await startGuard();
    await guard.order({ lease: leaseFor(60_000), containers: [web] }, never);
    await Promise.all([create(web), create(local)]);
  }, 60_000);

  afterEach(async () => {
    guard.close();
    signalGuard('SIGKILL');
    for (const { instance, uid } of [web, local]) {
      await removed(instance, uid);
    }
    await rm(folder, { recursive: true });
  }, 60_000);

  it('stops what is on its list when the deadline passes, through the daemon, and nothing else', async () => {
    await guard.order({ released: true }, never);
    const fresh = { ...leaseFor(500), term: 2 };
    await guard.order({ lease: fresh }, never);
    expect(await initOf(web.instance)).toBeDefined();
    // Whoever armed it is gone by then.
    guard.close();
    const tookMs = await ended(web.instance, 500 + FENCE_DELAY_MS);
    expect(tookMs).toBeGreaterThan(300);
    expect(await initOf(local.instance)).toBeDefined();
    expect((await driver.getInstance(local.instance, never))?.status).toBe('Running');
  });

  it('kills it by its process while the daemon is frozen, within the fence delay', async () => {
    await testHost.host.killDaemon('SIGSTOP');
    try {
      await guard.order({ lease: { ...leaseFor(200), term: 2 } }, never);
      const tookMs = await ended(web.instance, 200 + FENCE_DELAY_MS);
      expect(tookMs).toBeGreaterThan(1_000);
      expect(await initOf(local.instance)).toBeDefined();
    } finally {
      await testHost.host.killDaemon('SIGCONT');
    }
  });

  it('kills it while there is no daemon', async () => {
    await testHost.killDaemon();
    try {
      await guard.order({ lease: { ...leaseFor(200), term: 2 } }, never);
      await ended(web.instance, 200 + FENCE_DELAY_MS);
      expect(await initOf(local.instance)).toBeDefined();
    } finally {
      await testHost.host.startDaemon();
    }
  }, 60_000);

  it('keeps down what is started after the deadline', async () => {
    await guard.order({ lease: { ...leaseFor(100), term: 2 } }, never);
    await ended(web.instance, 5_000);
    await sleep(clock, 1_200, never);
    await driver.startInstance(web.instance, never).catch(() => undefined);
    expect(await ended(web.instance, 1_000)).toBeLessThan(1_000);
  });

  it('goes on with the deadline after it was killed and started again, without its agent', async () => {
    await guard.order({ lease: { ...leaseFor(2_500), term: 2 } }, never);
    await sleep(clock, 100, never);
    guard.close();
    signalGuard('SIGKILL');
    await startGuard();
    expect(await guard.connect(never)).toMatchObject({ term: 2, containers: [web] });
    guard.close();
    await ended(web.instance, 2_500 + FENCE_DELAY_MS);
  });

  it('stops nothing by ending', async () => {
    guard.close();
    signalGuard('SIGTERM');
    await sleep(clock, 300, never);
    expect(await initOf(web.instance)).toBeDefined();
  });
});
