import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import { never, driverTrials } from './driver-trial.ts';
import { failed, sync } from './scripted-daemon.ts';

describe('a request to the daemon', () => {
  const trial = driverTrials();

  describe('operations', () => {
    it.each([
      ['a top-level error and no metadata', failed(400, 'no space left')],
      [
        'metadata that says so',
        sync({ status: 'Failure', status_code: 400, err: 'no space left', metadata: null }),
      ],
    ])('fail with %s', async (_case, answer) => {
      trial.daemon.answers.set('GET /1.0/operations/op/wait', answer);
      await expect(trial.driver.startInstance('web', never)).rejects.toThrow('no space left');
    });

    it('that are still running at their deadline are a Timeout', async () => {
      const running = { status: 'Running', status_code: 103, err: '', metadata: null };
      trial.daemon.answers.set('GET /1.0/operations/op/wait', sync(running));
      await expect(trial.driver.startInstance('web', never)).rejects.toMatchObject({ code: 'Timeout' });
      expect(trial.daemon.requests).toContain('GET /1.0/operations/op/wait?timeout=20');
    });

    const overdue = {
      body: { type: 'sync', status_code: 200, error: 'context deadline exceeded', metadata: null },
    };

    it('that are still running when the wait says that its deadline is exceeded are a Timeout too', async () => {
      trial.daemon.answers.set('GET /1.0/operations/op/wait', overdue);
      const running = { status: 'Running', status_code: 103, err: '', metadata: null };
      trial.daemon.answers.set('GET /1.0/operations/op', sync(running));
      await expect(trial.driver.startInstance('web', never)).rejects.toMatchObject({ code: 'Timeout' });
    });

    it('that have failed of a deadline of their own have failed', async () => {
      trial.daemon.answers.set('GET /1.0/operations/op/wait', overdue);
      const status = {
        status: 'Failure',
        status_code: 400,
        err: 'context deadline exceeded',
        metadata: null,
      };
      trial.daemon.answers.set('GET /1.0/operations/op', sync(status));
      await expect(trial.driver.startInstance('web', never)).rejects.toMatchObject({ code: 'Internal' });
    });

    it('that a restarted daemon has forgotten are a lost reply: tried once more, then Unavailable', async () => {
      trial.daemon.answers.set('GET /1.0/operations/op/wait', failed(404, 'Operation not found'));
      await expect(trial.driver.startInstance('web', never)).rejects.toMatchObject({ code: 'Unavailable' });
      expect(trial.daemon.requests.filter((request) => request.startsWith('PUT'))).toHaveLength(2);
    });
  });

  it('rejects with Timeout when the daemon says nothing, and leaves no timer behind', async () => {
    trial.daemon.answers.set('GET /1.0/instances', 'silent');
    const listing = trial.driver.listInstances(never).then(() => 'listed', errorCode);
    await trial.arrived('GET /1.0/instances');
    await trial.clock.advance(1_000);
    expect(await listing).toBe('Timeout');
    expect(trial.clock.pending()).toBe(0);
  });

  it('rejects with Aborted when it is given up in the middle', async () => {
    trial.daemon.answers.set('GET /1.0/instances', 'silent');
    const abort = new AbortController();
    const listing = trial.driver.listInstances(abort.signal).then(() => 'listed', errorCode);
    await trial.arrived('GET /1.0/instances');
    abort.abort();
    expect(await listing).toBe('Aborted');
  });

  it('says so when the answer is no JSON', async () => {
    trial.daemon.answers.set('GET /1.0/instances', { status: 502, body: '<html>' });
    await expect(trial.driver.listInstances(never)).rejects.toThrow('no JSON');
  });
});
