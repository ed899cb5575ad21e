import { describe, expect, it } from '@jest/globals';
import { type Ahead, playAhead } from '../../support/ahead.ts';

/** Plays of which each ends when it is told to. */
function createPlays(ahead: Ahead, count: number) {
  const begun: number[] = [];
  const ends = Array.from({ length: count }, () => Promise.withResolvers<void>());
  const tests = ends.map(({ promise }, index) =>
    ahead.add(() => {
      begun.push(index);
      return promise;
    }),
  );
  return { begun, ends, tests };
}

describe('plays ahead of their turn', () => {
  it('begin with the first test, some at a time and in order', async () => {
    const { begun, ends, tests } = createPlays(playAhead(), 5);
    expect(begun).toEqual([]);
    const first = tests[0]?.();
    expect(begun).toEqual([0, 1, 2]);
    ends[1]?.resolve();
    ends[0]?.resolve();
    await first;
    await tests[1]?.();
    expect(begun).toEqual([0, 1, 2, 3, 4]);
  });

  it('are each begun once, and told when their turn comes', async () => {
    const { begun, ends, tests } = createPlays(playAhead(), 3);
    ends[1]?.reject(new Error('it broke'));
    ends[0]?.resolve();
    ends[2]?.resolve();
    await tests[0]?.();
    await expect(tests[1]?.()).rejects.toThrow('it broke');
    await tests[2]?.();
    expect(begun).toEqual([0, 1, 2]);
  });

  it('are not far ahead of a test that takes long', async () => {
    const { begun, ends, tests } = createPlays(playAhead(), 20);
    for (const { resolve } of ends.slice(1)) resolve();
    const first = tests[0]?.();
    await Promise.all(ends.slice(1).map(({ promise }) => promise));
    await new Promise((resolve) => setImmediate(resolve));
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
    ends[0]?.resolve();
    await first;
  });

  it('before the one that was chosen are left out', async () => {
    const ahead = playAhead();
    const { begun, ends, tests } = createPlays(ahead, 10);
    for (const { resolve } of ends) resolve();
    await tests[8]?.();
    await ahead.settled();
    expect(begun).toEqual([8, 9]);
  });

  it('have settled when all that were begun have ended, however they did', async () => {
    const ahead = playAhead();
    const { ends, tests } = createPlays(ahead, 2);
    const first = tests[0]?.();
    let isSettled = false;
    const settled = ahead.settled().then(() => (isSettled = true));
    ends[0]?.resolve();
    await first;
    expect(isSettled).toBe(false);
    ends[1]?.reject(new Error('it broke'));
    await settled;
    expect(isSettled).toBe(true);
  });
});
