import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import { INSTANCE, never, driverTrials } from './driver-trial.ts';
import { begun, failed, sync } from './scripted-daemon.ts';

describe('instances of the daemon', () => {
  const trial = driverTrials();

  it.each([
    ['is told again to stop, within its time, when it was started just now', 5_000, [2, 30]],
    ['is told once when it has run for a while', 60_000, [31]],
  ])('what does not end %s', async (_case, ageMs, timeouts) => {
    const last_used_at = new Date(trial.clock.nowMs() - ageMs).toISOString();
    trial.daemon.answers.set(
      'GET /1.0/instances/web',
      sync({ ...INSTANCE, status: 'Running', last_used_at }),
    );
    trial.daemon.answers.set('GET /1.0/operations/op/wait', failed(400, 'it has not ended in time'));
    await expect(trial.driver.stopInstance('web', 30_000, never)).rejects.toThrow('it has not ended in time');
    const asked = [...timeouts.map((timeout) => ({ force: false, timeout })), { force: true, timeout: -1 }];
    expect(trial.daemon.bodies).toEqual(asked.map((one) => ({ action: 'stop', ...one })));
  });

  it('forces what does not stop in its time', async () => {
    trial.daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Running' }));
    const late = 'Failed shutting down instance, status is "Running": context deadline exceeded';
    trial.daemon.answers.set('GET /1.0/operations/op/wait?timeout=24', failed(400, late));
    trial.daemon.answers.set('GET /1.0/operations/op/wait', sync({ status_code: 200, metadata: null }));
    await trial.driver.stopInstance('web', 2_500, never);
    expect(trial.daemon.bodies).toEqual([
      { action: 'stop', force: false, timeout: 4 },
      { action: 'stop', force: true, timeout: -1 },
    ]);
  });

  it.each([
    ['has no process', sync({ pid: 0 })],
    ['cannot find its process', failed(500, "Invalid PID '?'")],
    ['is gone by then', failed(404, 'Not Found')],
  ])('starts nothing that is said to run and %s, which is a Conflict', async (_, state) => {
    trial.daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Running' }));
    trial.daemon.answers.set('GET /1.0/instances/web/state', state);
    await expect(trial.driver.startInstance('web', never)).rejects.toMatchObject({ code: 'Conflict' });
    expect(trial.daemon.bodies).toEqual([]);
  });

  const shared = { ...INSTANCE.config, 'user.hostler.access': 'Shared' };
  const root = { root: { type: 'disk', path: '/', pool: 'of-web' } };
  it.each([
    ['is on a pool of the host', INSTANCE.config, sync({ name: 'of-web', config: { source: '/srv' } })],
    ['is on a pool that is missing, too', shared, failed(404, 'Storage pool not found')],
  ])('forgets nothing whose volume is missing when its root %s', async (_case, config, pool) => {
    const says = 'Failed getting instance pool: Instance storage pool not found';
    trial.daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, config, devices: root }));
    trial.daemon.answers.set('GET /1.0/storage-pools/of-web', pool);
    trial.daemon.answers.set('PUT /1.0/instances/web/state', failed(404, says));
    await expect(trial.driver.startInstance('web', never)).rejects.toThrow(says);
    expect(trial.daemon.requests.filter((request) => request.includes('/internal/'))).toEqual([]);
  });

  it('starts nothing that runs', async () => {
    trial.daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Running' }));
    trial.daemon.answers.set('GET /1.0/instances/web/state', sync({ pid: 12 }));
    await trial.driver.startInstance('web', never);
    expect(trial.daemon.bodies).toEqual([]);
  });

  it('tells of a start that failed once the daemon no longer says that it runs', async () => {
    trial.daemon.answers.set(
      'GET /1.0/operations/op/wait',
      failed(500, 'Failed to run: forkstart: exit status 1'),
    );
    trial.daemon.answers.set('GET /1.0/instances/web/state', failed(500, "Invalid PID '?'"));
    let isTold = false;
    const start = trial.driver.startInstance('web', never).catch((error: unknown) => {
      isTold = true;
      return error;
    });
    await trial.arrived('PUT');
    trial.daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Running' }));
    const looks = (): number =>
      trial.daemon.requests.filter((what) => what === 'GET /1.0/instances/web').length;
    const looksOnce = async (): Promise<void> => {
      const before = looks();
      while (looks() === before) {
        await trial.clock.advance(100);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await looksOnce();
    await looksOnce();
    expect(isTold).toBe(false);
    // It says Stopped once in between.
    trial.daemon.answers.set('GET /1.0/instances/web', sync(INSTANCE));
    await looksOnce();
    expect(isTold).toBe(false);
    trial.daemon.answers.set('GET /1.0/instances/web/state', sync({ pid: 0 }));
    await looksOnce();
    expect(await start).toMatchObject({ message: expect.stringContaining('forkstart') });
  });

  it('lets what is frozen go on before it stops it', async () => {
    trial.daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Frozen' }));
    trial.daemon.answers.set('GET /1.0/operations/op/wait', sync({ status_code: 200, metadata: null }));
    await trial.driver.stopInstance('web', 0, never);
    expect(trial.daemon.bodies).toMatchObject([{ action: 'unfreeze' }, { action: 'stop', force: true }]);
  });

  it('thaws what was left half frozen, since only the whole can be thawed', async () => {
    trial.daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Freezing' }));
    trial.daemon.answers.set('GET /1.0/operations?recursion=1', sync({}));
    trial.daemon.answers.set('GET /1.0/operations/op/wait', sync({ status_code: 200, metadata: null }));
    await trial.driver.startInstance('web', never);
    expect(trial.daemon.bodies).toMatchObject([{ action: 'freeze' }, { action: 'unfreeze' }]);
  });

  it('does not believe that a copy runs that has no process', async () => {
    const config = { ...INSTANCE.config, 'user.hostler.incoming': 'uid-m' };
    trial.daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, config, status: 'Running' }));
    trial.daemon.answers.set('GET /1.0/instances/web/state', failed(500, "Invalid PID '\uFFFD'"));
    expect((await trial.driver.getInstance('web', never))?.status).toBe('Busy');
    trial.daemon.answers.set('GET /1.0/operations?recursion=1', sync({}));
    await expect(trial.driver.dropTransfer('web', 'uid-m', never)).rejects.toMatchObject({
      code: 'Conflict',
      details: { isDead: true },
    });
    const restoring = { id: 'op', resources: { instances: ['/1.0/instances/web'] } };
    trial.daemon.answers.set('GET /1.0/operations?recursion=1', sync({ running: [restoring] }));
    trial.daemon.answers.set('GET /1.0/operations/op/wait', failed(500, 'context deadline exceeded'));
    const early = await trial.driver.dropTransfer('web', 'uid-m', never).catch((error: unknown) => error);
    expect(early).toMatchObject({ code: 'Conflict', details: undefined });
    trial.daemon.answers.set('GET /1.0/instances/web/state', sync({ pid: 7 }));
    expect((await trial.driver.getInstance('web', never))?.status).toBe('Running');
  });

  it.each([
    ['takes over a copy that ran here until its host lost its power', '2026-01-01T00:00:00Z', ['PUT']],
    ['takes over no copy that is not whole', '1970-01-01T00:00:00Z', []],
  ])('%s', async (_, last_used_at, methods) => {
    const config = { ...INSTANCE.config, 'user.hostler.incoming': 'uid-m' };
    trial.daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, config, last_used_at }));
    trial.daemon.answers.set('GET /1.0/operations/op/wait', sync({ status_code: 200, metadata: null }));
    trial.daemon.answers.set('PUT /1.0/instances/web', begun('op'));
    const mark = { uid: 'u1', namespace: 'default', name: 'web', epoch: 2, generation: 1 };
    const spec = { name: 'web', mark, imageFingerprint: '', rootPool: 'fast', networks: [], config: {} };
    const accepted = trial.driver.acceptTransfer(spec, 'uid-m', never).catch(errorCode);
    expect(await accepted).toBe(methods.length > 0 ? undefined : 'Conflict');
    const changes = trial.daemon.requests.filter((request) => !request.startsWith('GET'));
    expect(changes.map((request) => request.split(' ')[0])).toEqual(methods);
  });

  it('takes an instance that ended in the meantime as stopped', async () => {
    trial.daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status: 'Running' }));
    trial.daemon.answers.set('GET /1.0/operations/op/wait', failed(400, 'The instance is already stopped'));
    await trial.driver.stopInstance('web', 0, never);
    expect(trial.daemon.bodies).toHaveLength(1);
  });

  it.each([
    ['Ready', 'Running'],
    ['Starting', 'Busy'],
    ['Stopping', 'Busy'],
    ['Error', 'Error'],
    ['Frozen', 'Frozen'],
    ['Freezing', 'Freezing'],
  ])('shows %s as %s', async (status, expected) => {
    trial.daemon.answers.set('GET /1.0/instances/web', sync({ ...INSTANCE, status }));
    expect((await trial.driver.getInstance('web', never))?.status).toBe(expected);
  });
});
