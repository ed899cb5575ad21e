import { describe, expect, it } from '@jest/globals';
import { createTimingKeeper } from '../../../src/agent/node/timing-keeper.ts';
import { defaultTiming, timingFrom } from '../../../src/plan/failover/timing.ts';
import type { GuardKeeps } from '../../../src/plan/failover/timing-change.ts';
import type { GuardReport } from '../../../src/ports/guard.ts';

const slow = timingFrom({ renewMs: 10_000, durationMs: 60_000, fenceDelayMs: 5_000 });
const report = (more: Partial<GuardReport> = {}): GuardReport => ({
  term: 1,
  deadlineMs: 40_000,
  liveUntilMs: 12_000,
  released: false,
  containers: [],
  ...more,
});
const keeperWith = (keeps: GuardKeeps | undefined) => createTimingKeeper({ keeps: () => keeps }, () => {});

describe('the timing of an agent that is started in an outage', () => {
  it('is what its guard knows of the agent before it, so that it can ask its peers', () => {
    const keeper = keeperWith(undefined);
    expect(keeper.isKnown()).toBe(false);
    expect(keeper.begin(report({ timing: slow }))).toEqual({ timing: slow, liveUntilMs: 12_000 });
    expect(keeper.isKnown()).toBe(true);
    expect(keeper.kept()).toEqual(slow);
  });

  it('is not known where no guard was ever armed', () => {
    const keeper = keeperWith(undefined);
    expect(keeper.begin(report({ deadlineMs: -Infinity }))).toBeUndefined();
    expect(keeper.begin(undefined)).toBeUndefined();
    expect(keeper.isKnown()).toBe(false);
  });

  it('keeps what people have wanted meanwhile', () => {
    const keeper = keeperWith(undefined);
    keeper.want(defaultTiming);
    keeper.begin(report({ timing: slow }));
    expect(keeper.kept().durationMs).toBe(5_000);
    expect(keeper.toAsk()).toEqual(defaultTiming);
  });
});

describe('what a renewal says of the guard', () => {
  it.each<[string, GuardKeeps | undefined, boolean]>([
    ['armed, when it has confirmed what holds', { deadlineMs: 5_000, kept: defaultTiming }, true],
    [
      'absent, when it has confirmed nothing since it is there',
      { deadlineMs: 5_000, kept: undefined },
      false,
    ],
    ['absent, when it would let things run for longer', { deadlineMs: 30_000, kept: defaultTiming }, false],
    [
      'absent, when it would take longer for stopping',
      { deadlineMs: 0, kept: { ...defaultTiming, fenceDelayMs: 4_000 } },
      false,
    ],
    ['absent, when there is none', undefined, false],
  ])('%s', (_name, keeps, isGuardArmed) => {
    const keeper = keeperWith(keeps);
    expect(keeper.toSay(0, 0)).toEqual({ timing: defaultTiming, isGuardArmed });
  });
});
