import { describe, expect, it } from '@jest/globals';
import {
  isWorthAnother,
  MAX_PASSES,
  type PassResult,
  SMALL_BYTES,
} from '../../../../src/plan/migration/passes.ts';

const MEGA = 2 ** 20;

describe('one more pass while the container runs', () => {
  it.each<[string, PassResult, boolean]>([
    ['is made after a first one that was long', { passes: 1, bytes: 900 * MEGA, tookMs: 20_000 }, true],
    ['not after one that carried little', { passes: 1, bytes: SMALL_BYTES, tookMs: 20_000 }, false],
    ['not after one that was short', { passes: 1, bytes: 900 * MEGA, tookMs: 500 }, false],
    ['while they shrink', { passes: 2, bytes: 400 * MEGA, tookMs: 9_000, previousMs: 20_000 }, true],
    [
      'not when they shrink no more',
      { passes: 2, bytes: 400 * MEGA, tookMs: 16_000, previousMs: 20_000 },
      false,
    ],
    [
      'not when it may be expected to carry little',
      { passes: 2, bytes: 50 * MEGA, tookMs: 2_000, previousMs: 20_000 },
      false,
    ],
    [
      'not when it may be expected to be short',
      { passes: 2, bytes: 2_000 * MEGA, tookMs: 3_000, previousMs: 30_000 },
      false,
    ],
    [
      'never without end',
      { passes: MAX_PASSES, bytes: 900 * MEGA, tookMs: 9_000, previousMs: 20_000 },
      false,
    ],
  ])('%s', (_, result, expected) => {
    expect(isWorthAnother(result)).toBe(expected);
  });

  it.each([
    ['10 MB a second', 10],
    ['20 MB a second', 20],
    ['40 MB a second, of 50 that a pass carries', 40],
  ])('is made until the last one is short: what changes by %s', (_, changing) => {
    const rootMegabytes = 1_000;
    const carriedPerSecond = 50;
    const passSeconds: number[] = [];
    let megabytes = rootMegabytes;
    let goesOn = true;
    while (goesOn) {
      passSeconds.push(megabytes / carriedPerSecond + 0.2);
      const [tookMs = 0, previousMs] = passSeconds.toReversed().map((seconds) => seconds * 1_000);
      goesOn = isWorthAnother({
        passes: passSeconds.length,
        bytes: megabytes * MEGA,
        tookMs,
        ...(previousMs === undefined ? {} : { previousMs }),
      });
      megabytes = Math.min(rootMegabytes, (tookMs / 1_000) * changing);
    }
    // Either it is short by then, or it would have shrunk no more.
    const lastSeconds = megabytes / carriedPerSecond;
    expect(passSeconds.length).toBeLessThanOrEqual(MAX_PASSES);
    expect(lastSeconds < 0.6 || changing / carriedPerSecond > 0.75).toBe(true);
  });
});
