import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { createWorkQueue } from '../../../src/reconcile/work-queue.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const never = new AbortController().signal;

function setUp(maxDelayMs = 1_000) {
  const clock = createFakeClock();
  const gauges: number[] = [];
  const metrics = {
    count() {},
    observeSeconds() {},
    set: (_: string, value: number) => void gauges.push(value),
  };
  const queue = createWorkQueue({ name: 'test', clock, metrics, baseDelayMs: 10, maxDelayMs });
  return { clock, queue, gauges };
}

describe('the work queue', () => {
  it('holds a key once, however often it is added', async () => {
    const { queue } = setUp();
    queue.add('a');
    queue.add('b');
    queue.add('a');
    expect(queue.depth).toBe(2);
    expect([await queue.take(never), await queue.take(never)]).toEqual(['a', 'b']);
  });

  it('gives a key that was added while it was processed out again, after done', async () => {
    const { queue } = setUp();
    queue.add('a');
    await queue.take(never);
    queue.add('a');
    queue.add('a');
    expect(queue.depth).toBe(0);
    queue.done('a');
    expect(queue.depth).toBe(1);
    await queue.take(never);
    queue.done('a');
    expect(queue.depth).toBe(0);
  });

  it('hands a key to one who waits already', async () => {
    const { queue } = setUp();
    const taken = queue.take(never);
    queue.add('a');
    expect(await taken).toBe('a');
  });

  it.each([
    ['the earlier of two delayed adds wins when it comes first', [10, 50], 10],
    ['the earlier of two delayed adds wins when it comes last', [50, 10], 10],
    ['no delay is now', [0], 0],
  ])('%s', async (_, delays, dueMs) => {
    const { clock, queue } = setUp();
    for (const delayMs of delays) queue.addAfter('a', delayMs);
    const depths: number[] = [];
    for (let ms = 0; ms <= dueMs; ms++) {
      depths.push(queue.depth);
      await clock.advance(1);
    }
    expect(depths.lastIndexOf(0)).toBe(dueMs - 1);
    expect(queue.depth).toBe(1);
    expect(clock.pending()).toBe(0);
  });

  it('doubles the back-off of a key up to the limit, apart from other keys, until it is forgotten', () => {
    const { queue } = setUp(100);
    expect([1, 2, 3, 4, 5, 6].map(() => queue.addBackedOff('a'))).toEqual([10, 20, 40, 80, 100, 100]);
    expect(queue.addBackedOff('b')).toBe(10);
    queue.forget('a');
    expect(queue.addBackedOff('a')).toBe(10);
  });

  it('ends those who wait and drops all that is delayed when it is stopped', async () => {
    const { clock, queue } = setUp();
    const taken = queue.take(never);
    queue.addAfter('a', 10);
    queue.stop();
    queue.add('b');
    expect(await taken).toBeUndefined();
    expect(await queue.take(never)).toBeUndefined();
    expect([queue.depth, clock.pending()]).toEqual([0, 0]);
  });

  it('lets one who waits go away without losing a key', async () => {
    const { queue } = setUp();
    const leaving = new AbortController();
    const taken = queue.take(leaving.signal);
    leaving.abort();
    expect(await taken).toBeUndefined();
    queue.add('a');
    expect(await queue.take(never)).toBe('a');
  });

  it('reports its depth', async () => {
    const { queue, gauges } = setUp();
    queue.add('a');
    queue.add('b');
    await queue.take(never);
    expect(gauges).toEqual([1, 2, 1]);
  });
});

type Operation =
  | { do: 'add' | 'addBackedOff' | 'forget'; key: string }
  | { do: 'addAfter'; key: string; delayMs: number }
  | { do: 'take' | 'done' }
  | { do: 'advance'; ms: number };

const key = fc.constantFrom('a', 'b', 'c');
const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constantFrom('add' as const, 'addBackedOff' as const, 'forget' as const), key }),
    fc.record({ do: fc.constant('addAfter' as const), key, delayMs: fc.nat(200) }),
    fc.record({ do: fc.constantFrom('take' as const, 'done' as const) }),
    fc.record({ do: fc.constant('advance' as const), ms: fc.nat(100) }),
  ),
  { maxLength: 40 },
);

describe('whatever is done to the work queue', () => {
  it('no key is processed twice at once, and no add is lost', async () => {
    await fc.assert(
      fc.asyncProperty(operations, async (steps) => {
        const { clock, queue } = setUp();
        const processing: string[] = [];
        /** Added, and not taken since. */
        const owed = new Set<string>();
        const take = async (): Promise<void> => {
          const taken = await queue.take(never);
          expect(processing).not.toContain(taken);
          processing.push(taken as string);
          owed.delete(taken as string);
        };
        for (const step of steps) {
          if (step.do === 'take' && queue.depth > 0) await take();
          else if (step.do === 'done' && processing.length > 0) queue.done(processing.shift() as string);
          else if (step.do === 'advance') await clock.advance(step.ms);
          else if (step.do === 'addAfter') queue.addAfter(step.key, step.delayMs);
          else if ('key' in step) queue[step.do](step.key);
          if ('key' in step && step.do !== 'forget') owed.add(step.key);
        }
        await clock.advance(2_000);
        for (const left of processing.splice(0)) queue.done(left);
        while (queue.depth > 0) await take();
        expect([...owed]).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('the back-off of a key never shrinks without a forget', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 100_000 }),
        (times, maxDelayMs) => {
          const { queue } = setUp(maxDelayMs);
          const delays = Array.from({ length: times }, () => queue.addBackedOff('a'));
          expect(delays).toEqual([...delays].sort((a, b) => a - b));
          expect(Math.max(...delays)).toBeLessThanOrEqual(maxDelayMs);
        },
      ),
    );
  });
});
