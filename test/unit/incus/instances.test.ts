import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import type { HostDriver } from '../../../src/ports/host-driver.ts';
import { type DriverTrial, INSTANCE, never, startDriverTrial } from './driver-trial.ts';
import { begun, failed, sync } from './scripted-daemon.ts';

describe('instances of the daemon', () => {
  let trial: DriverTrial;
  let driver: HostDriver;
  let daemon: DriverTrial['daemon'];
  let clock: DriverTrial['clock'];

  beforeEach(async () => {
    trial = await startDriverTrial();
    ({ driver, daemon, clock } = trial);
  });
  afterEach(() => trial.stop());

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
    await trial.arrived('PUT');
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
});
