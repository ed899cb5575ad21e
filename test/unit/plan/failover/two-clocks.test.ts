import { describe, expect, it } from '@jest/globals';
import { elapsedMs, leftMs, nowBefore } from '../../../../src/plan/failover/two-clocks.ts';

const end = { monotonicMs: 5_000, wallMs: 105_000 };

describe('two clocks', () => {
  it.each([
    ['run alike', { monotonicMs: 2_000, wallMs: 102_000 }, 3_000],
    ['were kept apart by 60 s of sleep', { monotonicMs: 2_000, wallMs: 162_000 }, -57_000],
    ['were kept apart by a wall clock that was set back', { monotonicMs: 4_000, wallMs: 1_000 }, 1_000],
  ])('give no more time than either, when they %s', (_, now, left) => {
    expect(leftMs(end, now)).toBe(left);
    expect(nowBefore(end, now)).toBe(5_000 - left);
  });

  it('leave now as it is where no permission ends', () => {
    const never = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };
    expect(nowBefore(never, { monotonicMs: 7, wallMs: 9 })).toBe(7);
  });

  it('count the longer of two times', () => {
    expect(elapsedMs({ monotonicMs: 0, wallMs: 0 }, { monotonicMs: 100, wallMs: 60_100 })).toBe(60_100);
    expect(elapsedMs({ monotonicMs: 0, wallMs: 500 }, { monotonicMs: 100, wallMs: 0 })).toBe(100);
  });
});
