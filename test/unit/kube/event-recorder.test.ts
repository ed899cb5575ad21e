import { describe, expect, it } from '@jest/globals';
import { createEventRecorder, type EventObject, eventRef } from '../../../src/kube/event-recorder.ts';
import { HostlerError } from '../../../src/ports/errors.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFakeObjectStore } from '../../support/fake-object-store.ts';

const web = {
  apiVersion: 'hostler.dev/v1alpha1',
  kind: 'Container',
  namespace: 'shop',
  name: 'web',
  uid: 'u1',
};

function setUp(logger = silentLogger) {
  const clock = createFakeClock();
  const store = createFakeObjectStore(clock);
  const open = () =>
    createEventRecorder({ store, source: { component: 'agent', host: 'h1' }, clock, logger });
  const events = () => store.all<EventObject>(eventRef);
  return { clock, store, recorder: open(), open, events };
}

describe('the event recorder', () => {
  it('writes an Event in the namespace of its object', async () => {
    const { clock, recorder, events } = setUp();
    recorder.record(web, 'Normal', 'Started', 'it runs');
    await clock.advance(0);
    expect(events()).toMatchObject([
      {
        metadata: { namespace: 'shop', name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) as unknown },
        involvedObject: web,
        type: 'Normal',
        reason: 'Started',
        message: 'it runs',
        source: { component: 'agent', host: 'h1' },
        firstTimestamp: '2026-01-01T00:00:00Z',
        count: 1,
      },
    ]);
    expect(clock.pending()).toBe(0);
  });

  it('puts those of cluster-scoped objects into default', async () => {
    const { clock, recorder, events } = setUp();
    recorder.record(
      { apiVersion: 'hostler.dev/v1alpha1', kind: 'Node', name: 'h1' },
      'Warning',
      'Lost',
      'gone',
    );
    await clock.advance(0);
    expect(events()[0]?.metadata.namespace).toBe('default');
  });

  it('counts repeats up on one Event, also after a restart', async () => {
    const { clock, recorder, open, events } = setUp();
    for (let time = 0; time < 3; time++) {
      recorder.record(web, 'Warning', 'BackOff', 'again');
      await clock.advance(1_000);
    }
    open().record(web, 'Warning', 'BackOff', 'again');
    await clock.advance(0);
    expect(events()).toHaveLength(1);
    expect(events()[0]).toMatchObject({ count: 4, lastTimestamp: '2026-01-01T00:00:03Z' });
  });

  it('makes a new Event when the old one was removed meanwhile', async () => {
    const { clock, store, recorder, events } = setUp();
    recorder.record(web, 'Normal', 'Started', 'it runs');
    await clock.advance(0);
    const [{ metadata }] = events() as [EventObject];
    await store.delete(
      eventRef,
      { namespace: 'shop', name: metadata.name },
      {},
      new AbortController().signal,
    );
    recorder.record(web, 'Normal', 'Started', 'it runs');
    await clock.advance(0);
    expect(events()).toMatchObject([{ count: 1 }]);
  });

  it('keeps different messages, reasons and types apart', async () => {
    const { clock, recorder, events } = setUp();
    recorder.record(web, 'Normal', 'A', 'x');
    recorder.record(web, 'Normal', 'A', 'y');
    recorder.record(web, 'Normal', 'B', 'x');
    recorder.record(web, 'Warning', 'A', 'x');
    await clock.advance(0);
    expect(events()).toHaveLength(4);
  });

  it('lets through only so many about one object', async () => {
    const { clock, recorder, events } = setUp();
    for (let index = 0; index < 100; index++) recorder.record(web, 'Normal', 'A', `message ${index}`);
    recorder.record({ ...web, name: 'db' }, 'Normal', 'A', 'other');
    await clock.advance(0);
    expect(events()).toHaveLength(26);
    await clock.advance(60_000);
    for (let index = 0; index < 100; index++) recorder.record(web, 'Normal', 'B', `message ${index}`);
    await clock.advance(0);
    expect(events()).toHaveLength(28);
  });

  it('holds what it cannot write while the API is away, and drops the oldest of too many', async () => {
    const { clock, store, recorder, events } = setUp();
    store.faults.failNext('Unavailable', { times: 5 });
    for (let index = 0; index < 1_100; index++)
      recorder.record({ ...web, name: `c${index}` }, 'Normal', 'A', 'x');
    await clock.advance(120_000);
    expect(events().length).toBeGreaterThan(990);
    expect(events().length).toBeLessThan(1_002);
  });

  it('loses one that the API refuses, and goes on', async () => {
    const { clock, store, recorder, events } = setUp();
    store.faults.failNext('Forbidden', { verb: 'create' });
    recorder.record(web, 'Normal', 'A', 'x');
    recorder.record(web, 'Normal', 'B', 'x');
    await clock.advance(0);
    expect(events().map(({ reason }) => reason)).toEqual(['B']);
  });

  it.each([
    [
      'that is being deleted',
      'Forbidden',
      { kind: 'Status', details: { name: 'x', causes: [{ reason: 'NamespaceTerminating' }] } },
      0,
    ],
    ['that is gone', 'NotFound', { kind: 'Status', details: { name: 'shop', kind: 'namespaces' } }, 0],
    ['that it may not write to', 'Forbidden', { kind: 'Status', details: { name: 'x' } }, 1],
  ] as const)(
    'loses one of a namespace %s, with a warning only where something is wrong',
    async (_, code, details, warnings) => {
      const warned: string[] = [];
      const logger = {
        ...silentLogger,
        warn: (_fields: object, message: string) => void warned.push(message),
      };
      const { clock, store, open, events } = setUp(logger);
      store.faults.failNext(new HostlerError(code, 'no', { details }), { verb: 'create' });
      open().record(web, 'Normal', 'A', 'x');
      await clock.advance(0);
      expect(events()).toEqual([]);
      expect(warned).toHaveLength(warnings);
    },
  );

  it('cuts a message that is too long', async () => {
    const { clock, recorder, events } = setUp();
    recorder.record(web, 'Normal', 'A', 'x'.repeat(5_000));
    await clock.advance(0);
    expect(events()[0]?.message).toHaveLength(1_024);
  });

  it('flushes what waits, in bounded time, and writes nothing once it is closed', async () => {
    const { clock, store, recorder, events } = setUp();
    recorder.record(web, 'Normal', 'A', 'x');
    await recorder.flush();
    expect(events()).toHaveLength(1);
    store.faults.failNext('Unavailable', { times: 1_000 });
    recorder.record(web, 'Normal', 'B', 'x');
    const flushed = recorder.flush();
    await clock.advance(5_000);
    await flushed;
    recorder.close();
    await clock.advance(0);
    expect(clock.pending()).toBe(0);
    const calls = store.calls.length;
    recorder.record(web, 'Normal', 'C', 'x');
    await clock.advance(60_000);
    expect(store.calls).toHaveLength(calls);
  });
});
