import { describe, expect, it } from '@jest/globals';
import { LeaderView } from '../../../../src/plan/failover/takeover.ts';
import { defaultTiming, type FailoverTiming, timingFrom } from '../../../../src/plan/failover/timing.ts';

const slow = timingFrom({ renewMs: 10_000, durationMs: 50_000, fenceDelayMs: 3_000 });
const members = ['a', 'b', 'c', 'd', 'e'];

/** A leader that sees every renewal at once, and nothing of `silent` after the first minute; until `endMs`. */
function watched(timings: Record<string, FailoverTiming>, silent: readonly string[], more: object = {}) {
  const view = new LeaderView(0, members, defaultTiming);
  let revision = 0;
  const renew = (name: string, nowMs: number): void => {
    revision += 1;
    const timing = timings[name] ?? defaultTiming;
    const lease = { holder: name, term: 1, revision, renewal: nowMs, timing, sinceReplyMs: timing.renewMs };
    view.onLease(name, { ...lease, ...more }, nowMs);
  };
  return (endMs: number): LeaderView => {
    for (let nowMs = 0; nowMs <= endMs; nowMs += 250) {
      view.onProbe(nowMs, revision);
      for (const name of members) {
        const { renewMs } = timings[name] ?? defaultTiming;
        if (nowMs % renewMs === 0 && (nowMs < 60_000 || !silent.includes(name))) renew(name, nowMs);
      }
    }
    return view;
  };
}

describe('nodes of several classes', () => {
  const timings = { c: slow, d: slow, e: slow };

  it('that renew rarely count by their own pace, so that a fast one can be fenced', () => {
    const view = watched(timings, ['a'])(68_000);
    expect(view.verdict('a', 68_000)).toMatchObject({ state: 'Revocable' });
    expect(view.verdict('c', 68_000)).toEqual({ state: 'Live' });
  });

  it('are each fenced by their own timing', () => {
    const view = watched(timings, ['c'])(68_000);
    expect(view.verdict('c', 68_000).state).not.toBe('Revocable');
    const later = watched(timings, ['c'])(104_000);
    expect(later.verdict('c', 104_000)).toMatchObject({ state: 'Revocable' });
  });

  it('count for nothing when their timing cannot be relied on', () => {
    const view = watched(timings, ['a'], { timingFault: 'it is incomplete' })(68_000);
    expect(view.verdict('a', 68_000)).toEqual({ state: 'Braked' });
  });
});
