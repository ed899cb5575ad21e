import { describe, expect, it } from '@jest/globals';
import { WorkQueue } from '../../../../src/apiserver/gc/work-queue.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';

interface Harness {
  queue: WorkQueue;
  clock: ReturnType<typeof createFakeClock>;
  done: string[];
  stop: () => Promise<void>;
}

function start(work: (key: string, seen: number) => Promise<number | void>, workers = 2): Harness {
  const clock = createFakeClock();
  const done: string[] = [];
  const queue = new WorkQueue({
    clock,
    workers,
    work: async (key) => {
      const again = await work(key, done.filter((one) => one === key).length);
      done.push(key);
      return again;
    },
    onFailure: (key) => done.push(`${key}!`),
  });
  const stopping = new AbortController();
  const running = queue.run(stopping.signal);
  return {
    queue,
    clock,
    done,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

describe('the work queue', () => {
  it('works on a key once, however often it was added before', async () => {
    const { queue, clock, done, stop } = start(() => Promise.resolve());
    queue.add('a');
    queue.add('b');
    queue.add('b');
    await clock.advance(0);
    await stop();
    expect(done.filter((key) => key === 'a')).toHaveLength(1);
    expect(done).toContain('b');
  });

  it('works on a key again that was added meanwhile, never twice at once', async () => {
    let active = 0;
    let most = 0;
    const { queue, clock, done, stop } = start(async () => {
      most = Math.max(most, ++active);
      await Promise.resolve();
      active -= 1;
    });
    queue.add('a');
    queue.add('a');
    await clock.advance(0);
    await stop();
    expect(done).toEqual(['a', 'a']);
    expect(most).toBe(1);
  });

  it('tries again what failed, later each time', async () => {
    let calls = 0;
    const { queue, clock, done, stop } = start(() => {
      calls += 1;
      return calls < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve();
    });
    queue.add('a');
    await clock.advance(0);
    expect(calls).toBe(1);
    await clock.advance(50);
    expect(calls).toBe(2);
    await clock.advance(99);
    expect(calls).toBe(2);
    await clock.advance(1);
    expect(done).toEqual(['a!', 'a!', 'a']);
    await stop();
  });

  it('looks again when the work asks for it, and leaves no timer behind', async () => {
    const { queue, clock, done, stop } = start((_key, seen) => Promise.resolve(seen === 0 ? 1_000 : 5_000));
    queue.add('a');
    await clock.advance(1_000);
    expect(done).toEqual(['a', 'a']);
    expect(clock.pending()).toBe(1);
    await stop();
    expect(clock.pending()).toBe(0);
  });
});
