import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
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

describe('the time for which the majority has held', () => {
  const brisk = timingFrom({ renewMs: 500, durationMs: 2_500, fenceDelayMs: 1_500 });
  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 900 }),
    name: fc.constantFrom('a', 'b', 'c', 'stranger'),
    what: fc.constantFrom('renewal', 'renewal', 'renewal', 'brisk', 'revocation', 'fault', 'look', 'members'),
  });

  /** Looks at all members anew at each step, and between two steps at the moment at which the majority ends. */
  it('is the same as that of one who works everything out at each step', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const view = new LeaderView(0, ['a', 'b', 'c'], defaultTiming);
        const ends = new Map<string, number>();
        let counted = ['a', 'b', 'c'];
        let [nowMs, revision, sinceMs] = [0, 0, undefined as number | undefined];
        const endMs = (): number => {
          const sorted = counted.map((name) => ends.get(name) ?? -Infinity).sort((a, b) => b - a);
          return sorted[Math.floor(counted.length / 2)] ?? -Infinity;
        };
        const seen = new Map<string, { committedMs: number; sentMs: number }>();
        for (const { afterMs, name, what } of steps) {
          nowMs += afterMs;
          if (nowMs >= endMs()) sinceMs = undefined;
          if (what === 'members') {
            counted = counted.length === 3 ? ['a', 'b', 'c', 'stranger'] : ['a', 'b', 'c'];
            view.setMembers(counted, nowMs);
            sinceMs = undefined;
          } else if (what !== 'look') {
            view.onProbe(nowMs, revision);
            revision += 1;
            const timing = what === 'brisk' ? brisk : defaultTiming;
            const isHeld = what !== 'revocation';
            const timingFault = what === 'fault' ? 'incomplete' : undefined;
            const lease = {
              holder: isHeld ? name : '',
              term: 1,
              sinceReplyMs: 100,
              renewal: revision,
              timing,
              timingFault,
            };
            view.onLease(name, { ...lease, revision }, nowMs);
            const before = seen.get(name);
            const sentMs =
              before === undefined ? -Infinity : Math.max(before.sentMs, before.committedMs + 100);
            seen.set(name, { committedMs: nowMs, sentMs });
            ends.set(name, isHeld && timingFault === undefined ? sentMs + timing.suspectAfterMs : -Infinity);
          }
          if (nowMs < endMs() && what !== 'look') sinceMs ??= nowMs;
          else if (nowMs >= endMs()) sinceMs = undefined;
          expect(view.majoritySinceMs(nowMs)).toBe(sinceMs);
        }
      }),
      { numRuns: 500 },
    );
  });
});
