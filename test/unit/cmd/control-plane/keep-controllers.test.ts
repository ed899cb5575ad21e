import { describe, expect, it } from '@jest/globals';
import { keepControllers } from '../../../../src/cmd/control-plane/keep-controllers.ts';
import type { ControllersProcess } from '../../../../src/cmd/control-plane/run-controllers.ts';
import { silentLogger } from '../../../../src/ports/logger.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';

/** Controllers that run until they are stopped, or fail. */
function trial() {
  const clock = createFakeClock();
  const stop = new AbortController();
  const processes: { fail(): void; hasEnded: boolean }[] = [];
  const create = (): ControllersProcess => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const one = { fail: () => reject(new Error('the lease is lost')), hasEnded: false };
    processes.push(one);
    const index = processes.length;
    return {
      manager: { ready: () => true, unready: () => [`part of ${index}`] },
      run: (signal) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        return promise.finally(() => (one.hasEnded = true));
      },
    };
  };
  const kept = keepControllers(create, { clock, logger: silentLogger }, stop.signal);
  return { clock, stop, processes, kept };
}

describe('keepControllers', () => {
  it('builds everything anew after a failure, and tells of the new ones', async () => {
    const { clock, stop, processes, kept } = trial();
    expect(kept.unready()).toEqual(['part of 1']);
    processes[0]?.fail();
    await clock.advance(999);
    expect(processes).toHaveLength(1);
    await clock.advance(1);
    expect(processes).toHaveLength(2);
    expect(kept.unready()).toEqual(['part of 2']);
    stop.abort();
    await kept.ended;
    expect(processes[1]?.hasEnded).toBe(true);
  });

  it('ends when it is stopped, also between two runs, and leaves no timer', async () => {
    const { clock, stop, processes, kept } = trial();
    processes[0]?.fail();
    await clock.advance(10);
    stop.abort();
    await kept.ended;
    expect(processes).toHaveLength(1);
    expect(clock.pending()).toBe(0);
  });
});
