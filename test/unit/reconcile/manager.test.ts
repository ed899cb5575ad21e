import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '../../../src/ports/logger.ts';
import { createManager } from '../../../src/reconcile/manager.ts';
import type { Runnable } from '../../../src/reconcile/runnable.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

interface Part extends Runnable {
  isReady: boolean;
  fail(error: Error): void;
  end(): void;
}

function setUp(options: { startTimeoutMs?: number; stopTimeoutMs?: number } = {}) {
  const clock = createFakeClock();
  const log: string[] = [];
  const manager = createManager({ clock, logger: silentLogger, ...options });
  const part = (name: string, isReady = true, isDeaf = false): Part => {
    const ended = Promise.withResolvers<void>();
    const self: Part = {
      name,
      isReady,
      ready: () => self.isReady,
      fail: (error) => ended.reject(error),
      end: () => ended.resolve(),
      async start(signal) {
        log.push(`start ${name}`);
        signal.addEventListener('abort', () => {
          log.push(`stop ${name}`);
          if (!isDeaf) ended.resolve();
        });
        await ended.promise;
      },
    };
    return self;
  };
  const stop = new AbortController();
  const run = (): { outcome: () => string } => {
    let outcome = 'running';
    manager.run(stop.signal).then(
      () => (outcome = 'stopped'),
      (error: Error) => (outcome = error.message),
    );
    return { outcome: () => outcome };
  };
  return { clock, log, manager, part, run, stop };
}

describe('the manager', () => {
  it('starts a group when the one before it is ready, and stops in reverse', async () => {
    const { clock, log, manager, part, run, stop } = setUp();
    const informer = part('informer', false);
    manager.add(informer, part('other informer'));
    manager.add(part('controller'));
    const { outcome } = run();
    await clock.advance(1_000);
    expect(log).toEqual(['start informer', 'start other informer']);
    expect(manager.unready()).toEqual(['informer', 'controller']);
    informer.isReady = true;
    await clock.advance(20);
    expect(log.slice(2)).toEqual(['start controller']);
    expect(manager.ready()).toBe(true);
    log.length = 0;
    stop.abort();
    await clock.advance(0);
    expect(log).toEqual(['stop controller', 'stop informer', 'stop other informer']);
    expect([outcome(), clock.pending()]).toEqual(['stopped', 0]);
  });

  it.each([
    ['fails', (part: Part) => part.fail(new Error('lost the lease')), 'lost the lease'],
    ['ends by itself', (part: Part) => part.end(), 'b ended by itself'],
  ])('stops everything when one part %s', async (_, act, message) => {
    const { clock, log, manager, part, run } = setUp();
    const b = part('b');
    manager.add(part('a'));
    manager.add(b);
    manager.add(part('c'));
    const { outcome } = run();
    await clock.advance(0);
    act(b);
    await clock.advance(0);
    expect(outcome()).toBe(message);
    expect(log.slice(3)).toEqual(['stop c', 'stop b', 'stop a']);
    expect(clock.pending()).toBe(0);
  });

  it('goes on stopping when a part does not stop', async () => {
    const { clock, log, manager, part, run, stop } = setUp({ stopTimeoutMs: 100 });
    manager.add(part('a'));
    manager.add(part('deaf', true, true));
    const { outcome } = run();
    await clock.advance(0);
    stop.abort();
    await clock.advance(99);
    expect(log).not.toContain('stop a');
    await clock.advance(1);
    expect(log).toContain('stop a');
    expect(outcome()).toBe('stopped');
  });

  it('gives up when a group is not ready in time, and starts nothing further', async () => {
    const { clock, log, manager, part, run } = setUp({ startTimeoutMs: 500 });
    manager.add(part('slow', false));
    manager.add(part('never started'));
    const { outcome } = run();
    await clock.advance(600);
    expect(outcome()).toBe('Not ready after 500 ms: slow');
    expect(log).toEqual(['start slow', 'stop slow']);
  });

  it('stops also while it still starts', async () => {
    const { clock, log, manager, part, run, stop } = setUp();
    manager.add(part('slow', false));
    manager.add(part('never started'));
    const { outcome } = run();
    await clock.advance(100);
    stop.abort();
    await clock.advance(0);
    expect(outcome()).toBe('stopped');
    expect(log).toEqual(['start slow', 'stop slow']);
    expect(clock.pending()).toBe(0);
  });
});
