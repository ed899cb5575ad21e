import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import type { HostDriver } from '../../../src/ports/host-driver.ts';
import { type DriverTrial, never, startDriverTrial } from './driver-trial.ts';
import { failed, sync } from './scripted-daemon.ts';

describe('a request to the daemon', () => {
  let trial: DriverTrial;
  let driver: HostDriver;
  let daemon: DriverTrial['daemon'];
  let clock: DriverTrial['clock'];

  beforeEach(async () => {
    trial = await startDriverTrial();
    ({ driver, daemon, clock } = trial);
  });
  afterEach(() => trial.stop());

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
    await trial.arrived('GET /1.0/instances');
    await clock.advance(1_000);
    expect(await listing).toBe('Timeout');
    expect(clock.pending()).toBe(0);
  });

  it('rejects with Aborted when it is given up in the middle', async () => {
    daemon.answers.set('GET /1.0/instances', 'silent');
    const abort = new AbortController();
    const listing = driver.listInstances(abort.signal).then(() => 'listed', errorCode);
    await trial.arrived('GET /1.0/instances');
    abort.abort();
    expect(await listing).toBe('Aborted');
  });

  it('says so when the answer is no JSON', async () => {
    daemon.answers.set('GET /1.0/instances', { status: 502, body: '<html>' });
    await expect(driver.listInstances(never)).rejects.toThrow('no JSON');
  });
});
