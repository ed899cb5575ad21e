import { describe, expect, it } from '@jest/globals';
import { HostlerError } from '../../../src/ports/errors.ts';
import type { Logger } from '../../../src/ports/logger.ts';
import {
  type ControllerOptions,
  createController,
  type Reconcile,
} from '../../../src/reconcile/controller.ts';
import { terminal, waiting } from '../../../src/reconcile/errors.ts';
import { createTrigger, periodicSource } from '../../../src/reconcile/source.ts';
import { createFakeClock, settle } from '../../support/fake-clock.ts';

function setUp(reconcile: Reconcile, options: Partial<ControllerOptions> = {}) {
  const clock = createFakeClock();
  const lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  const logger = capture(lines);
  const trigger = createTrigger();
  const passes: string[] = [];
  const stop = new AbortController();
  const controller = createController({
    name: 'test',
    sources: [trigger],
    clock,
    logger,
    ...options,
    reconcile: (key, signal) => {
      passes.push(key);
      return reconcile(key, signal);
    },
  });
  const ended = controller.start(stop.signal);
  const finish = async (): Promise<void> => {
    stop.abort();
    await clock.advance(5_000);
    await ended;
  };
  return { clock, lines, trigger, passes, finish, controller };
}

function capture(lines: { level: string; message: string; fields: Record<string, unknown> }[]): Logger {
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: fields as Record<string, unknown> });
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return logger;
}

function failingWith(failure: Error): Reconcile {
  return async () => {
    throw failure;
  };
}

describe('a controller', () => {
  it('reconciles a key once for one change, and not again', async () => {
    const { clock, trigger, passes, finish } = setUp(() => Promise.resolve({}));
    trigger.enqueue('a');
    await clock.advance(1_000_000);
    expect(passes).toEqual(['a']);
    await finish();
    expect(clock.pending()).toBe(0);
  });

  it('looks again after requeueAfterMs', async () => {
    const { clock, trigger, passes, finish } = setUp(() => Promise.resolve({ requeueAfterMs: 100 }));
    trigger.enqueue('a');
    await clock.advance(99);
    expect(passes).toHaveLength(1);
    await clock.advance(1);
    expect(passes).toHaveLength(2);
    await finish();
  });

  it.each([
    ['backs off from an unknown error', new Error('boom'), [5, 10, 20], 'warn'],
    ['backs off from an API that is away', new HostlerError('Unavailable', 'away'), [5, 10, 20], 'warn'],
    [
      'tries soon again after a conflict, without alarm',
      new HostlerError('Conflict', 'lost'),
      [5, 10],
      'debug',
    ],
    [
      'waits as long as a waiting error asks, without back-off',
      waiting('not yet', 70),
      [70, 70, 70],
      'debug',
    ],
    [
      'waits as long as the server asks',
      new HostlerError('TooManyRequests', 'slow down', { retryAfterMs: 300 }),
      [300, 300],
      'debug',
    ],
  ])('%s', async (_, error, delays, level) => {
    const { clock, trigger, passes, lines, finish } = setUp(failingWith(error));
    trigger.enqueue('a');
    await clock.advance(0);
    for (const [index, delayMs] of delays.entries()) {
      await clock.advance(delayMs - 1);
      expect(passes).toHaveLength(index + 1);
      await clock.advance(1);
      expect(passes).toHaveLength(index + 2);
    }
    expect(lines.map((line) => line.level)).toEqual(passes.map(() => level));
    expect(new Set(lines.map((line) => line.fields['reconcileId'])).size).toBe(passes.length);
    await finish();
  });

  it('does not try again after a terminal error, until a source reports the key', async () => {
    const { clock, trigger, passes, lines, finish } = setUp(
      failingWith(terminal('BadImage', 'no such image')),
    );
    trigger.enqueue('a');
    await clock.advance(1_000_000);
    expect(passes).toEqual(['a']);
    expect(lines[0]).toMatchObject({ level: 'error', fields: { key: 'a', reason: 'BadImage' } });
    trigger.enqueue('a');
    await clock.advance(0);
    expect(passes).toEqual(['a', 'a']);
    await finish();
  });

  it('begins with the base delay again after a success', async () => {
    let failing = true;
    const { clock, trigger, passes, finish } = setUp(() =>
      failing ? Promise.reject(new Error('boom')) : Promise.resolve({}),
    );
    trigger.enqueue('a');
    await clock.advance(5 + 10 + 19);
    failing = false;
    await clock.advance(1);
    failing = true;
    trigger.enqueue('a');
    await clock.advance(5);
    expect(passes).toHaveLength(6);
    await finish();
  });

  it('survives a reconciler that throws before its first await', async () => {
    const { clock, trigger, passes, finish } = setUp(() => {
      throw new TypeError('undefined is not a function');
    });
    trigger.enqueue('a');
    trigger.enqueue('b');
    await clock.advance(5);
    expect(passes).toEqual(['a', 'b', 'a', 'b']);
    await finish();
  });

  it('never runs one key twice at once, and never more keys than its concurrency', async () => {
    const running = new Set<string>();
    let most = 0;
    const { clock, trigger, passes, finish } = setUp(
      async (key) => {
        expect(running).not.toContain(key);
        running.add(key);
        most = Math.max(most, running.size);
        await settle();
        running.delete(key);
        return {};
      },
      { concurrency: 3 },
    );
    for (let round = 0; round < 5; round++) {
      for (const key of ['a', 'b', 'c', 'd', 'e']) trigger.enqueue(key);
      await settle();
    }
    for (let turn = 0; turn < 20; turn++) await clock.advance(0);
    expect(most).toBe(3);
    expect(running.size).toBe(0);
    expect(new Set(passes).size).toBe(5);
    await finish();
  });

  it('aborts a reconcile at its deadline, with Timeout, and backs off', async () => {
    const { clock, trigger, lines, passes, finish } = setUp(
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new DOMException('stopped', 'AbortError')));
        }),
      { deadlineMs: 1_000 },
    );
    trigger.enqueue('a');
    await clock.advance(1_000);
    expect(lines).toMatchObject([{ level: 'warn', fields: { key: 'a', code: 'Timeout' } }]);
    await clock.advance(5);
    expect(passes).toEqual(['a', 'a']);
    await finish();
  });

  it('goes on with other keys when a reconcile does not heed its deadline, and leaves that key alone', async () => {
    let release = (): void => {};
    const { clock, trigger, passes, lines, finish } = setUp(
      (key) =>
        key === 'deaf' ? new Promise((resolve) => (release = () => resolve({}))) : Promise.resolve({}),
      { deadlineMs: 1_000 },
    );
    trigger.enqueue('deaf');
    await clock.advance(0);
    trigger.enqueue('deaf');
    trigger.enqueue('b');
    await clock.advance(5_999);
    expect(passes).toEqual(['deaf']);
    await clock.advance(1);
    expect(passes).toEqual(['deaf', 'b']);
    expect(lines[0]).toMatchObject({ level: 'error', fields: { key: 'deaf' } });
    await clock.advance(60_000);
    expect(passes).toEqual(['deaf', 'b']);
    release();
    await clock.advance(0);
    expect(passes).toEqual(['deaf', 'b', 'deaf']);
    release();
    await finish();
  });

  it('aborts what runs when it is stopped, and counts that as no failure', async () => {
    const { clock, trigger, lines, finish } = setUp(
      (_, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new HostlerError('Aborted', 'stopped')));
        }),
    );
    trigger.enqueue('a');
    await clock.advance(0);
    await finish();
    expect(lines).toEqual([]);
    expect(clock.pending()).toBe(0);
  });

  it('stops in bounded time also when a reconcile does not heed the stop', async () => {
    const { clock, trigger, finish } = setUp(() => new Promise(() => {}));
    trigger.enqueue('a');
    await clock.advance(0);
    await finish();
    expect(clock.pending()).toBe(0);
  });
});

describe('sources', () => {
  it('a periodic one reports its keys each period, until it is stopped', async () => {
    const clock = createFakeClock();
    const seen: string[] = [];
    const stop = periodicSource(clock, 100, () => ['a', 'b']).subscribe((key) => seen.push(key));
    await clock.advance(250);
    stop();
    await clock.advance(1_000);
    expect(seen).toEqual(['a', 'b', 'a', 'b']);
    expect(clock.pending()).toBe(0);
  });

  it('a trigger keeps what comes before anybody listens', () => {
    const trigger = createTrigger();
    const seen: string[] = [];
    trigger.enqueue('early');
    trigger.subscribe((key) => seen.push(key));
    trigger.enqueue('late');
    expect(seen).toEqual(['early', 'late']);
  });
});
