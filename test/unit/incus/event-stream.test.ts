import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import type { HostEvent } from '../../../src/ports/host-driver.ts';
import { INSTANCE, driverTrials } from './driver-trial.ts';
import { begun, sync } from './scripted-daemon.ts';

describe('events of the daemon', () => {
  const trial = driverTrials();

  const message = (action: string, name: string) =>
    JSON.stringify({
      type: 'lifecycle',
      metadata: { action, source: `/1.0/instances/${name}`, requestor: null },
    });

  it('begin with resync, are only about our instances, and begin again after a break', async () => {
    const abort = new AbortController();
    const events = trial.driver.events(abort.signal)[Symbol.asyncIterator]();
    const next = async (): Promise<HostEvent | undefined> =>
      (await events.next()).value as HostEvent | undefined;
    const opened = trial.daemon.nextStream();
    expect(await next()).toEqual({ type: 'resync' });
    const stream = await opened;
    trial.daemon.answers.set('GET /1.0/instances/other', sync({ ...INSTANCE, name: 'other', config: {} }));
    stream.send(message('instance-shutdown', 'other'));
    stream.send(message('instance-shutdown', 'web'));
    expect(await next()).toEqual({ type: 'stopped', name: 'web', requested: false });

    const reopened = trial.daemon.nextStream();
    const after = next();
    stream.terminate();
    while (trial.clock.pending() === 0 || trial.daemon.streams.size > 0)
      await new Promise((resolve) => setImmediate(resolve));
    await trial.clock.advance(1_000);
    await reopened;
    expect(await after).toEqual({ type: 'resync' });
    abort.abort();
    expect((await events.next()).done).toBe(true);
    expect(trial.clock.pending()).toBe(0);
  });

  it.each([
    ['made', 'POST /1.0/instances', 'created', 0],
    ['changed', 'PUT /1.0/instances/web', 'updated', 1],
  ] as const)(
    'about an instance that is being %s by us are ours without a question',
    async (_, request, type, looks) => {
      trial.daemon.answers.set('GET /1.0/instances/web', sync(INSTANCE));
      trial.daemon.answers.set(request, begun('work'));
      trial.daemon.answers.set('GET /1.0/operations/work/wait', 'silent');
      const abort = new AbortController();
      const events = trial.driver.events(abort.signal)[Symbol.asyncIterator]();
      const opened = trial.daemon.nextStream();
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
      const work =
        type === 'created'
          ? trial.driver.createInstance(spec, { start: true }, abort.signal)
          : trial.driver.updateInstance(spec, abort.signal);
      const ended = work.catch(errorCode);
      await trial.arrived('GET /1.0/operations/work/wait');
      stream.send(message(`instance-${type}`, 'web'));
      expect((await events.next()).value).toEqual({ type, name: 'web' });
      // The change looks once itself.
      const asked = trial.daemon.requests.filter((one) => one === 'GET /1.0/instances/web');
      expect(asked).toHaveLength(looks);
      abort.abort();
      expect(await ended).toBe('Aborted');
    },
  );

  it('drop a connection that gives no sign of life', async () => {
    const abort = new AbortController();
    const events = trial.driver.events(abort.signal)[Symbol.asyncIterator]();
    const opened = trial.daemon.nextStream();
    await events.next();
    const stream = await opened;
    // Held up like a peer behind a dead link: it reads nothing, and so answers no ping.
    stream.pause();
    const second = events.next();
    const reopened = trial.daemon.nextStream();
    await trial.clock.advance(10_000);
    await trial.clock.advance(10_000);
    await trial.clock.advance(1_000);
    await reopened;
    expect((await second).value).toEqual({ type: 'resync' });
    abort.abort();
    await events.return?.();
  });
});
