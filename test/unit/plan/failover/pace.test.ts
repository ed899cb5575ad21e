import { describe, expect, it } from '@jest/globals';
import { afterLoss, heldUntilMs } from '../../../../src/plan/failover/flapping.ts';
import { createRateLimit } from '../../../../src/plan/failover/rate-limit.ts';
import { LeaderView } from '../../../../src/plan/failover/takeover.ts';
import { defaultTiming } from '../../../../src/plan/failover/timing.ts';

const MINUTE = 60_000;

describe('a node that is lost again and again', () => {
  it.each([
    ['was never lost', [], undefined],
    ['was lost once', [0], undefined],
    ['was lost twice within ten minutes', [0, 5], 6],
    ['was lost twice, far apart', [0, 11], undefined],
    ['was lost three times in a row', [0, 5, 10], 12],
    ['was lost eight times in a row', [0, 5, 10, 15, 20, 25, 30, 35], 35 + 60],
    ['was lost long ago, and then twice', [0, 60, 65], 66],
  ])('when it %s', (_, minutes, until) => {
    const losses = minutes.map((minute) => minute * MINUTE);
    const last = losses.at(-1) ?? 0;
    expect(heldUntilMs(losses, last)).toBe(until === undefined ? undefined : until * MINUTE);
    expect(heldUntilMs(losses, (until ?? last) * MINUTE)).toBeUndefined();
  });

  it('is remembered for its last losses only', () => {
    let losses: number[] = [];
    for (let time = 0; time < 20; time += 1) losses = afterLoss(losses, time);
    expect(losses).toEqual([12, 13, 14, 15, 16, 17, 18, 19]);
  });
});

describe('the rate limit', () => {
  it('lets a burst through and then so many a second, for each domain apart', () => {
    const limit = createRateLimit({ perSecond: 10, burst: 3 });
    const takeAll = (domain: string, nowMs: number): number => {
      let count = 0;
      for (; limit.has(domain, nowMs); count += 1) limit.take(domain, nowMs);
      return count;
    };
    expect(takeAll('east', 0)).toBe(3);
    expect(limit.waitMs('east', 0)).toBe(100);
    expect(takeAll('east', 100)).toBe(1);
    expect(takeAll('west', 100)).toBe(3);
    expect(takeAll('east', 60_000)).toBe(3);
    expect(limit.waitMs('north', 0)).toBe(0);
  });
});

describe('LeaderView', () => {
  const lease = (revision: number, timing = defaultTiming) => ({
    holder: 'x',
    term: 1,
    revision,
    sinceReplyMs: 1_000,
    renewal: revision,
    timing,
  });
  /** Three nodes, of which c stops renewing at 10 s; probed each 250 ms. */
  const watch = (
    untilMs: number,
    timing = defaultTiming,
    act?: (view: LeaderView, nowMs: number) => void,
  ) => {
    const view = new LeaderView(0, ['a', 'b', 'c'], timing);
    let revision = 0;
    for (let nowMs = 0; nowMs <= untilMs; nowMs += 250) {
      view.onProbe(nowMs, revision);
      if (nowMs % 1_000 === 0) {
        for (const name of nowMs <= 10_000 ? ['a', 'b', 'c'] : ['a', 'b'])
          view.onLease(name, lease((revision += 1), timing), nowMs);
      }
      act?.(view, nowMs);
    }
    return view;
  };

  it("goes by the node's own timing", () => {
    const slow = { ...defaultTiming, durationMs: 20_000 };
    expect(watch(18_000).verdict('c', 18_000).state).toBe('Revocable');
    expect(watch(18_000, slow).verdict('c', 18_000).state).toBe('Suspect');
    expect(watch(33_000, slow).verdict('c', 33_000).state).toBe('Revocable');
  });

  it('counts the time of the majority anew when the members change', () => {
    const view = watch(18_000, defaultTiming, (one, nowMs) => {
      if (nowMs === 15_000) one.setMembers(['a', 'b', 'c', 'd'], nowMs);
    });
    expect(view.verdict('c', 18_000).state).toBe('Braked');
  });

  it('tells a lease that was found from one that is renewed', () => {
    const view = new LeaderView(0, ['a'], defaultTiming);
    view.onLease('a', lease(1), 100);
    expect(view.sight('a')).toMatchObject({ sawMs: 100, heard: false });
    view.onLease('a', lease(2), 1_100);
    expect(view.sight('a')).toMatchObject({ sawMs: 1_100, heard: true });
    expect(view.sight('b')).toBeUndefined();
  });
});
