import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { armGuard, disarmed } from '../../../../src/plan/failover/guard.ts';
import { type FailoverTiming, timingFrom } from '../../../../src/plan/failover/timing.ts';
import {
  isKeptBy,
  keptTiming,
  type NodeTiming,
  onTimingConfirmed,
  onTimingRead,
  onTimingSent,
  onTimingWanted,
  startNodeTiming,
  timingToState,
} from '../../../../src/plan/failover/timing-change.ts';

const short = timingFrom({ renewMs: 1_000, durationMs: 5_000, fenceDelayMs: 3_000 });
const long = timingFrom({ renewMs: 10_000, durationMs: 60_000, fenceDelayMs: 2_000 });
const holding = (timing: FailoverTiming): NodeTiming => onTimingRead(startNodeTiming(undefined), timing);
const guard = (kept: FailoverTiming, deadlineMs = 0) => ({ kept, deadlineMs });

describe('a change of timing', () => {
  it('goes by what the lease states until something else is wanted', () => {
    expect(timingToState(holding(long), { nowMs: 0, deadlineMs: 0, guard: undefined })).toBe(long);
    expect(keptTiming(holding(long))).toBe(long);
  });

  it('states a longer timing at once, and lives it only when that was confirmed', () => {
    const wanting = onTimingWanted(holding(short), long);
    expect(keptTiming(wanting)).toMatchObject({ durationMs: 5_000, fenceDelayMs: 2_000 });
    const at = { nowMs: 0, deadlineMs: 4_000, guard: guard(keptTiming(wanting), 4_000) };
    expect(timingToState(wanting, at)).toBe(long);
    const sent = onTimingSent(wanting, long);
    expect(keptTiming(sent).durationMs).toBe(5_000);
    expect(keptTiming(onTimingConfirmed(sent, long))).toEqual(long);
  });

  it('lives a shorter timing at once, and states it when what the longer one gave has run out', () => {
    const wanting = onTimingWanted(holding(long), short);
    expect(keptTiming(wanting).durationMs).toBe(5_000);
    const kept = guard({ ...keptTiming(wanting), fenceDelayMs: 2_000 }, 55_000);
    const at = (nowMs: number) => ({ nowMs, deadlineMs: 55_000, guard: kept });
    expect(timingToState(wanting, at(49_999))).toBe(long);
    expect(timingToState(wanting, at(50_000))).toBe(short);
  });

  it('waits for the guard before it states a shorter fenceDelay', () => {
    const quick = { ...short, fenceDelayMs: 1_000 };
    const wanting = onTimingWanted(holding(short), quick);
    const at = (kept: FailoverTiming) => ({ nowMs: 0, deadlineMs: 0, guard: guard(kept) });
    expect(timingToState(wanting, at(short))).toBe(short);
    expect(timingToState(wanting, at(keptTiming(wanting)))).toBe(quick);
  });

  it('goes on with the strictest of what may have been stated when an answer is lost', () => {
    const asked = onTimingSent(onTimingWanted(holding(long), short), short);
    const back = onTimingWanted(onTimingRead(asked, long), long);
    expect(keptTiming(back).durationMs).toBe(5_000);
    expect(keptTiming(onTimingConfirmed(back, long)).durationMs).toBe(60_000);
  });

  it('takes over what an agent before went by', () => {
    expect(keptTiming(onTimingWanted(startNodeTiming(short), long)).durationMs).toBe(5_000);
  });
});

/** A node, its guard and a store that may answer late or never, driven by chance; one clock. */
const step = fc.oneof(
  fc.record({ do: fc.constant('want' as const), which: fc.nat(2) }),
  fc.record({ do: fc.constant('tellGuard' as const) }),
  fc.record({ do: fc.constant('renew' as const), fate: fc.constantFrom('ok', 'lost', 'late', 'noReply') }),
  fc.record({ do: fc.constant('read' as const) }),
  fc.record({ do: fc.constant('restart' as const) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 20_000 }) }),
);

it('whichever version is the present one, the guard stops in time for it', () => {
  const timings = [short, long, timingFrom({ renewMs: 400, durationMs: 2_000, fenceDelayMs: 1_000 })];
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let nowMs = 0;
      let version = { number: 1, timing: short, armed: false, committedMs: 0 };
      let state = holding(short);
      let seen = 1;
      let until = Number.NEGATIVE_INFINITY;
      let held = disarmed;
      let keeps: FailoverTiming | undefined;
      let late: (() => void) | undefined;
      for (const one of steps) {
        if (one.do === 'wait') nowMs += one.ms;
        if (one.do === 'want') state = onTimingWanted(state, timings[one.which] as FailoverTiming);
        if (one.do === 'tellGuard') {
          held = armGuard(held, { term: 1, deadlineMs: until, revoked: false });
          keeps = keptTiming(state);
        }
        if (one.do === 'restart') {
          state = startNodeTiming(keeps);
          until = held.deadlineMs;
          seen = 0;
        }
        if (one.do === 'read') {
          seen = version.number;
          state = onTimingRead(state, version.timing);
        }
        if (one.do === 'renew' && seen > 0) {
          const deadlineMs = Math.max(until, held.deadlineMs);
          const keepsNow = keeps && { kept: keeps, deadlineMs };
          const timing = timingToState(state, { nowMs, deadlineMs: until, guard: keepsNow });
          const armed = keepsNow !== undefined && isKeptBy(keepsNow, timing, nowMs);
          state = onTimingSent(state, timing);
          const [from, sentMs] = [seen, nowMs];
          const commit = (): boolean => {
            if (version.number !== from) return false;
            version = { number: from + 1, timing, armed, committedMs: nowMs };
            return true;
          };
          if (one.fate === 'late') late = commit;
          const isDone = (one.fate === 'ok' || one.fate === 'noReply') && commit();
          if (one.fate === 'ok' && isDone) {
            seen = version.number;
            state = onTimingConfirmed(state, timing);
            until = Math.max(until, sentMs + keptTiming(state).durationMs);
          } else seen = 0;
        } else if (one.do !== 'renew') {
          late?.();
          late = undefined;
        }
        // A leader waits the duration and the fenceDelay of this version, at the soonest from its commit on.
        if (!version.armed) continue;
        const lastMs = version.committedMs + version.timing.durationMs;
        expect(held.deadlineMs).toBeLessThanOrEqual(lastMs);
        expect(until).toBeLessThanOrEqual(lastMs);
        expect(keeps?.fenceDelayMs).toBeLessThanOrEqual(version.timing.fenceDelayMs);
      }
    }),
    { numRuns: 5_000 },
  );
});
