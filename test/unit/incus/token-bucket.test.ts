import { describe, expect, it } from '@jest/globals';
import { TokenBucket } from '../../../src/incus/token-bucket.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

describe('a bandwidth limit', () => {
  it('lets a burst through, then as much as comes with time', async () => {
    const clock = createFakeClock();
    const bucket = new TokenBucket(clock, 1_000);
    expect(bucket.burst).toBe(250);
    expect(bucket.take(250)).toBe(0);
    expect(bucket.take(100)).toBe(100);
    await clock.advance(100);
    expect(bucket.take(50)).toBe(50);
    await clock.advance(10_000);
    expect(bucket.take(250)).toBe(0);
    expect(bucket.take(1)).toBe(1);
  });
});
