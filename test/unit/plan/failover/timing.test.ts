import { describe, expect, it } from '@jest/globals';
import { defaultTiming, type FailoverTiming, timingFaults } from '../../../../src/plan/failover/timing.ts';

describe('timingFaults', () => {
  it('accepts the defaults and a quick cluster', () => {
    expect(timingFaults(defaultTiming)).toEqual([]);
    const quick = {
      renewMs: 400,
      durationMs: 2_000,
      fenceDelayMs: 1_000,
      suspectAfterMs: 800,
      witnessMarginMs: 100,
    };
    expect(timingFaults(quick)).toEqual([]);
  });

  it.each<[string, Partial<FailoverTiming>, string]>([
    ['a renewal as rare as the lease is long', { renewMs: 5_000 }, 'renew (5000 ms) must be at most half'],
    ['a negative duration', { durationMs: -1 }, 'durationMs must be more than 0'],
    ['no time for stopping', { fenceDelayMs: 0 }, 'fenceDelayMs must be more than 0'],
    ['too little time for stopping', { fenceDelayMs: 100 }, 'fenceDelay (100 ms) must be at least 625 ms'],
    ['everybody suspect', { suspectAfterMs: 900 }, 'suspectAfter (900 ms) must be more than renew'],
    ['no time to ask the peers', { suspectAfterMs: 3_000 }, 'in an outage nodes could not confirm it'],
    ['not a number', { renewMs: Number.NaN }, 'renewMs must be more than 0, not NaN'],
  ])('refuses %s', (_, change, fault) => {
    expect(timingFaults({ ...defaultTiming, ...change }).join('\n')).toContain(fault);
  });
});
