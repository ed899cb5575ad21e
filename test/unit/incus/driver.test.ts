import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createIncusDriver } from '../../../src/incus/driver.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { errorCode } from '../../../src/ports/errors.ts';
import type { HostDriver, HostEvent } from '../../../src/ports/host-driver.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { begun, failed, type ScriptedDaemon, startScriptedDaemon, sync } from './scripted-daemon.ts';

const never = new AbortController().signal;
const INSTANCE = {
  name: 'web',
  status: 'Stopped',
  created_at: '2026-01-01T00:00:00Z',
  last_used_at: '2025-12-31T00:00:00Z',
  config: { 'user.hostler.managed': 'true', 'user.hostler.uid': 'u1' },
  devices: {},
};

describe('the Incus driver', () => {
  let daemon: ScriptedDaemon;
  let clock: FakeClock;
  let driver: HostDriver;

  beforeEach(async () => {
    daemon = await startScriptedDaemon();
    clock = createFakeClock();
    driver = driverOf(clock);
    daemon.answers.set(
      'GET /1.0',
      sync({ api_extensions: ['instance_create_start', 'instance_auto_restart'] }),
    );
    daemon.answers.set('GET /1.0/instances/web', sync(INSTANCE));
    daemon.answers.set('PUT /1.0/instances/web/state', begun('op'));
  });
  afterEach(async () => {
    await driver.close();
    await daemon.stop();
  });

  const driverOf = (ticking: Clock): HostDriver =>
    createIncusDriver({
      endpoint: { socketPath: daemon.socketPath },
      clock: ticking,
      logger: silentLogger,
      metrics: noMetrics,
      requestTimeoutMs: 1_000,
      operationTimeoutMs: 20_000,
      remotes: { images: { url: 'https://images.example', protocol: 'simplestreams' } },
    });
  const arrived = async (what: string): Promise<void> => {
    while (!daemon.requests.some((request) => request.startsWith(what))) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

  describe('operations', () => {
    it.each([
      ['a top-level error and no metadata', failed(400, 'no space left')],
      [
        'metadata that says so',
        sync({ status: 'Failure', status_code: 400, err: 'no space left', metadata: null }),
      ],
    ])('fail with %s', async (_case, answer) => {
      daemon.answers.set('GET /1.0/operations/op/wait', answer);
      await expect(driver.startInstance('web', never)).rejects.toThrow('no space left');
    });

    it('that are still running at their deadline are a Timeout', async () => {
      const running = { status: 'Running', status_code: 103, err: '', metadata: null };
      daemon.answers.set('GET /1.0/operations/op/wait', sync(running));
      await expect(driver.startInstance('web', never)).rejects.toMatchObject({ code: 'Timeout' });
      expect(daemon.requests).toContain('GET /1.0/operations/op/wait?timeout=20');
    });

    it.each([
      ['is told again to stop, within its time, when it was started just now', 5_000, [2, 30]],
      ['is told once when it has run for a while', 60_000, [31]],
    ])('what does not end %s', async (_case, ageMs, timeouts) => {
      const last_used_at = new Date(clock.nowMs() - ageMs).toISOString();
      daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Running', last_used_at }));
      daemon.answers.set('GET /1.0/operations/op/wait', failed(400, 'it has not ended in time'));
      await expect(driver.stopInstance('web', 30_000, never)).rejects.toThrow('it has not ended in time');
      const asked = [...timeouts.map((timeout) => ({ force: false, timeout })), { force: true, timeout: -1 }];
      expect(daemon.bodies).toEqual(asked.map((one) => ({ action: 'stop', ...one })));
    });

    const overdue = {
      body: { type: 'sync', status_code: 200, error: 'context deadline exceeded', metadata: null },
    };

    it('that are still running when the wait says that its deadline is exceeded are a Timeout too', async () => {
      daemon.answers.set('GET /1.0/operations/op/wait', overdue);
      const running = { status: 'Running', status_code: 103, err: '', metadata: null };
      daemon.answers.set('GET /1.0/operations/op', sync(running));
      await expect(driver.startInstance('web', never)).rejects.toMatchObject({ code: 'Timeout' });
    });

    it('that have failed of a deadline of their own have failed', async () => {
      daemon.answers.set('GET /1.0/operations/op/wait', overdue);
      const status = {
        status: 'Failure',
        status_code: 400,
        err: 'context deadline exceeded',
        metadata: null,
      };
      daemon.answers.set('GET /1.0/operations/op', sync(status));
      await expect(driver.startInstance('web', never)).rejects.toMatchObject({ code: 'Internal' });
    });

    it('that a restarted daemon has forgotten are a lost reply: tried once more, then Unavailable', async () => {
      daemon.answers.set('GET /1.0/operations/op/wait', failed(404, 'Operation not found'));
      await expect(driver.startInstance('web', never)).rejects.toMatchObject({ code: 'Unavailable' });
      expect(daemon.requests.filter((request) => request.startsWith('PUT'))).toHaveLength(2);
    });
  });

  it('rejects with Timeout when the daemon says nothing, and leaves no timer behind', async () => {
    daemon.answers.set('GET /1.0/instances', 'silent');
    const listing = driver.listInstances(never).then(() => 'listed', errorCode);
    await arrived('GET /1.0/instances');
    await clock.advance(1_000);
    expect(await listing).toBe('Timeout');
    expect(clock.pending()).toBe(0);
  });

  it('rejects with Aborted when it is given up in the middle', async () => {
    daemon.answers.set('GET /1.0/instances', 'silent');
    const abort = new AbortController();
    const listing = driver.listInstances(abort.signal).then(() => 'listed', errorCode);
    await arrived('GET /1.0/instances');
    abort.abort();
    expect(await listing).toBe('Aborted');
  });

  it('says so when the answer is no JSON', async () => {
    daemon.answers.set('GET /1.0/instances', { status: 502, body: '<html>' });
    await expect(driver.listInstances(never)).rejects.toThrow('no JSON');
  });

  it('forces what does not stop in its time', async () => {
    daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Running' }));
    const late = 'Failed shutting down instance, status is "Running": context deadline exceeded';
    daemon.answers.set('GET /1.0/operations/op/wait?timeout=24', failed(400, late));
    daemon.answers.set('GET /1.0/operations/op/wait', sync({ status_code: 200, metadata: null }));
    await driver.stopInstance('web', 2_500, never);
    expect(daemon.bodies).toEqual([
      { action: 'stop', force: false, timeout: 4 },
      { action: 'stop', force: true, timeout: -1 },
    ]);
  });

  it.each([
    ['has no process', sync({ pid: 0 })],
    ['cannot find its process', failed(500, "Invalid PID '?'")],
    ['is gone by then', failed(404, 'Not Found')],
  ])('starts nothing that is said to run and %s, which is a Conflict', async (_, state) => {
    daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Running' }));
    daemon.answers.set('GET /1.0/instances/web/state', state);
    await expect(driver.startInstance('web', never)).rejects.toMatchObject({ code: 'Conflict' });
    expect(daemon.bodies).toEqual([]);
  });

  it('starts nothing that runs', async () => {
    daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Running' }));
    daemon.answers.set('GET /1.0/instances/web/state', sync({ pid: 12 }));
    await driver.startInstance('web', never);
    expect(daemon.bodies).toEqual([]);
  });

  it('tells of a start that failed once the daemon no longer says that it runs', async () => {
    daemon.answers.set('GET /1.0/operations/op/wait', failed(500, 'Failed to run: forkstart: exit status 1'));
    daemon.answers.set('GET /1.0/instances/web/state', failed(500, "Invalid PID '?'"));
    let isTold = false;
    const start = driver.startInstance('web', never).catch((error: unknown) => {
      isTold = true;
      return error;
    });
    await arrived('PUT');
    daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Running' }));
    const looks = (): number => daemon.requests.filter((what) => what === 'GET /1.0/instances/web').length;
    const looksOnce = async (): Promise<void> => {
      const before = looks();
      while (looks() === before) {
        await clock.advance(100);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await looksOnce();
    await looksOnce();
    expect(isTold).toBe(false);
    // It says Stopped once in between.
    daemon.answers.set('GET /1.0/instances/web', sync(INSTANCE));
    await looksOnce();
    expect(isTold).toBe(false);
    daemon.answers.set('GET /1.0/instances/web/state', sync({ pid: 0 }));
    await looksOnce();
    expect(await start).toMatchObject({ message: expect.stringContaining('forkstart') });
  });

  it('lets what is frozen go on before it stops it', async () => {
    daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Frozen' }));
    daemon.answers.set('GET /1.0/operations/op/wait', sync({ status_code: 200, metadata: null }));
    await driver.stopInstance('web', 0, never);
    expect(daemon.bodies).toMatchObject([{ action: 'unfreeze' }, { action: 'stop', force: true }]);
  });

  it('thaws what was left half frozen, since only the whole can be thawed', async () => {
    daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Freezing' }));
    daemon.answers.set('GET /1.0/operations?recursion=1', sync({}));
    daemon.answers.set('GET /1.0/operations/op/wait', sync({ status_code: 200, metadata: null }));
    await driver.startInstance('web', never);
    expect(daemon.bodies).toMatchObject([{ action: 'freeze' }, { action: 'unfreeze' }]);
  });

  it('does not believe that a copy runs that has no process', async () => {
    const config = { ...INSTANCE.config, 'user.hostler.incoming': 'uid-m' };
    daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, config, status: 'Running' }));
    daemon.answers.set('GET /1.0/instances/web/state', failed(500, "Invalid PID '\uFFFD'"));
    expect((await driver.getInstance('web', never))?.status).toBe('Busy');
    daemon.answers.set('GET /1.0/operations?recursion=1', sync({}));
    await expect(driver.dropTransfer('web', 'uid-m', never)).rejects.toMatchObject({
      code: 'Conflict',
      details: { isDead: true },
    });
    const restoring = { id: 'op', resources: { instances: ['/1.0/instances/web'] } };
    daemon.answers.set('GET /1.0/operations?recursion=1', sync({ running: [restoring] }));
    daemon.answers.set('GET /1.0/operations/op/wait', failed(500, 'context deadline exceeded'));
    const early = await driver.dropTransfer('web', 'uid-m', never).catch((error: unknown) => error);
    expect(early).toMatchObject({ code: 'Conflict', details: undefined });
    daemon.answers.set('GET /1.0/instances/web/state', sync({ pid: 7 }));
    expect((await driver.getInstance('web', never))?.status).toBe('Running');
  });

  it.each([
    ['takes over a copy that ran here until its host lost its power', '2026-01-01T00:00:00Z', ['PUT']],
    ['takes over no copy that is not whole', '1970-01-01T00:00:00Z', []],
  ])('%s', async (_, last_used_at, methods) => {
    const config = { ...INSTANCE.config, 'user.hostler.incoming': 'uid-m' };
    daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, config, last_used_at }));
    daemon.answers.set('GET /1.0/operations/op/wait', sync({ status_code: 200, metadata: null }));
    daemon.answers.set('PUT /1.0/instances/web', begun('op'));
    const mark = { uid: 'u1', namespace: 'default', name: 'web', epoch: 2, generation: 1 };
    const spec = { name: 'web', mark, imageFingerprint: '', rootPool: 'fast', networks: [], config: {} };
    const accepted = driver.acceptTransfer(spec, 'uid-m', never).catch(errorCode);
    expect(await accepted).toBe(methods.length > 0 ? undefined : 'Conflict');
    const changes = daemon.requests.filter((request) => !request.startsWith('GET'));
    expect(changes.map((request) => request.split(' ')[0])).toEqual(methods);
  });

  it('takes an instance that ended in the meantime as stopped', async () => {
    daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Running' }));
    daemon.answers.set('GET /1.0/operations/op/wait', failed(400, 'The instance is already stopped'));
    await driver.stopInstance('web', 0, never);
    expect(daemon.bodies).toHaveLength(1);
  });

  it.each([
    ['Ready', 'Running'],
    ['Starting', 'Busy'],
    ['Stopping', 'Busy'],
    ['Error', 'Error'],
    ['Frozen', 'Frozen'],
    ['Freezing', 'Freezing'],
  ])('shows %s as %s', async (status, expected) => {
    daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status }));
    expect((await driver.getInstance('web', never))?.status).toBe(expected);
  });

  it('leaves a pool alone that is as it should be, although the daemon keeps no empty keys', async () => {
    const config = { 'user.hostler.uid': 'u1', source: '/pools/fast' };
    daemon.answers.set('GET /1.0/storage-pools/fast', sync({ name: 'fast', driver: 'dir', config }));
    await driver.ensurePool({ name: 'fast', uid: 'u1', driver: 'dir', config: {} }, never);
    expect(daemon.requests.filter((request) => !request.startsWith('GET'))).toEqual([]);
  });

  it('lists no pools where the daemon says null for none', async () => {
    daemon.answers.set('GET /1.0/storage-pools?recursion=1', sync(null));
    expect(await driver.listPools(never)).toEqual([]);
  });

  describe('images of a remote', () => {
    const reference = 'images:debian/12';

    it('are copied by the daemon, once for all who ask', async () => {
      daemon.answers.set('POST /1.0/images', begun('copy'));
      daemon.answers.set(
        'GET /1.0/operations/copy/wait',
        sync({ status_code: 200, metadata: { fingerprint: 'ff' } }),
      );
      daemon.answers.set('POST /1.0/images/aliases', sync(null));
      const found = await Promise.all([1, 2, 3].map(() => driver.ensureImage(reference, never)));
      expect(found).toEqual(['ff', 'ff', 'ff']);
      expect(daemon.requests.filter((request) => request === 'POST /1.0/images')).toHaveLength(1);
      expect(daemon.bodies[0]).toEqual({
        source: {
          type: 'image',
          mode: 'pull',
          server: 'https://images.example',
          protocol: 'simplestreams',
          alias: 'debian/12',
          image_type: 'container',
        },
      });
      expect(daemon.bodies[1]).toMatchObject({ description: reference, target: 'ff' });
    });

    it.each([
      ['has no such alias', "Failed getting image: The requested image couldn't be found", 'NotFound'],
      ['cannot be reached', 'Get "https://images.example/x": dial tcp: connection refused', 'Unavailable'],
    ])('whose server %s', async (_case, message, code) => {
      daemon.answers.set('POST /1.0/images', begun('copy'));
      daemon.answers.set('GET /1.0/operations/copy/wait', failed(400, message));
      await expect(driver.ensureImage(reference, never)).rejects.toMatchObject({ code });
    });

    it('stay with the image that the alias stood for when it was first asked for', async () => {
      daemon.answers.set('POST /1.0/images', begun('copy'));
      daemon.answers.set(
        'GET /1.0/operations/copy/wait',
        sync({ status_code: 200, metadata: { fingerprint: 'ff' } }),
      );
      daemon.answers.set('POST /1.0/images/aliases', sync(null));
      await driver.ensureImage(reference, never);
      const { name } = daemon.bodies[1] as { name: string };
      daemon.answers.set(
        `GET /1.0/images/aliases/${name}`,
        sync({ name, description: reference, target: 'ff' }),
      );
      daemon.requests.length = 0;
      expect(await driver.ensureImage(reference, never)).toBe('ff');
      expect(daemon.requests).toEqual([`GET /1.0/images/aliases/${name}`]);
    });
  });

  describe('events', () => {
    const message = (action: string, name: string) =>
      JSON.stringify({
        type: 'lifecycle',
        metadata: { action, source: `/1.0/instances/${name}`, requestor: null },
      });

    it('begin with resync, are only about our instances, and begin again after a break', async () => {
      const abort = new AbortController();
      const events = driver.events(abort.signal)[Symbol.asyncIterator]();
      const next = async (): Promise<HostEvent | undefined> =>
        (await events.next()).value as HostEvent | undefined;
      const opened = daemon.nextStream();
      expect(await next()).toEqual({ type: 'resync' });
      const stream = await opened;
      daemon.answers.set('GET /1.0/instances/other', sync({ ...INSTANCE, name: 'other', config: {} }));
      stream.send(message('instance-shutdown', 'other'));
      stream.send(message('instance-shutdown', 'web'));
      expect(await next()).toEqual({ type: 'stopped', name: 'web', requested: false });

      const reopened = daemon.nextStream();
      const after = next();
      stream.terminate();
      while (clock.pending() === 0 || daemon.streams.size > 0)
        await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(1_000);
      await reopened;
      expect(await after).toEqual({ type: 'resync' });
      abort.abort();
      expect((await events.next()).done).toBe(true);
      expect(clock.pending()).toBe(0);
    });

    it('about an instance that is being made are ours without a question, and of others with one', async () => {
      daemon.answers.set('POST /1.0/instances', begun('make'));
      daemon.answers.set('GET /1.0/operations/make/wait', 'silent');
      const abort = new AbortController();
      const events = driver.events(abort.signal)[Symbol.asyncIterator]();
      const opened = daemon.nextStream();
      await events.next();
      const stream = await opened;
      const mark = { uid: 'u1', namespace: 'default', name: 'web', epoch: 1, generation: 1 };
      const spec = {
        name: 'web',
        mark,
        imageFingerprint: 'ff',
        rootPool: 'default',
        networks: [],
        config: {},
      };
      const made = driver.createInstance(spec, { start: true }, abort.signal).catch(errorCode);
      await arrived('GET /1.0/operations/make/wait');
      stream.send(message('instance-created', 'web'));
      expect((await events.next()).value).toEqual({ type: 'created', name: 'web' });
      expect(daemon.requests).not.toContain('GET /1.0/instances/web');
      abort.abort();
      expect(await made).toBe('Aborted');
    });

    it('drop a connection that gives no sign of life', async () => {
      const abort = new AbortController();
      const events = driver.events(abort.signal)[Symbol.asyncIterator]();
      const opened = daemon.nextStream();
      await events.next();
      const stream = await opened;
      // Held up like a peer behind a dead link: it reads nothing, and so answers no ping.
      stream.pause();
      const second = events.next();
      const reopened = daemon.nextStream();
      await clock.advance(10_000);
      await clock.advance(10_000);
      await clock.advance(1_000);
      await reopened;
      expect((await second).value).toEqual({ type: 'resync' });
      abort.abort();
      await events.return?.();
    });
  });
});
