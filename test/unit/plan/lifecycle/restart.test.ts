import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { planRestart, restartRulesOf } from '../../../../src/plan/lifecycle/restart.ts';
import {
  newRecord,
  observeInstance,
  recordStarted,
  recordStopping,
  type SeenInstance,
} from '../../../../src/plan/lifecycle/record.ts';
import { instance, NOW_MS, placed, record } from './facts.ts';

const backoff = { initialMs: 1_000, maxMs: 8_000, resetAfterMs: 60_000 };
const now = { ms: NOW_MS, iso: '2026-01-01T00:16:40.000Z' };

describe('planRestart', () => {
  it.each([
    ['the first is at once', { inARow: 0, endedAtMs: NOW_MS }, { do: 'restart' }],
    ['the second waits', { inARow: 1, endedAtMs: NOW_MS }, { do: 'wait', afterMs: 1_000, delayMs: 1_000 }],
    ['the wait doubles', { inARow: 3, endedAtMs: NOW_MS }, { do: 'wait', afterMs: 4_000, delayMs: 4_000 }],
    [
      'the wait has a limit',
      { inARow: 99, endedAtMs: NOW_MS },
      { do: 'wait', afterMs: 8_000, delayMs: 8_000 },
    ],
    [
      'time that went by counts',
      { inARow: 2, endedAtMs: NOW_MS - 500 },
      { do: 'wait', afterMs: 1_500, delayMs: 2_000 },
    ],
    ['it is over when its time is', { inARow: 2, endedAtMs: NOW_MS - 2_000 }, { do: 'restart' }],
    ['a clock set back ends it', { inARow: 9, endedAtMs: NOW_MS + 1 }, { do: 'restart' }],
    ['a long run resets', { inARow: 9, startedAtMs: NOW_MS - 60_000, endedAtMs: NOW_MS }, { do: 'restart' }],
    [
      'a short run does not',
      { inARow: 1, startedAtMs: NOW_MS - 59_999, endedAtMs: NOW_MS },
      { do: 'wait', afterMs: 1_000, delayMs: 1_000 },
    ],
  ])('Always: %s', (_sentence, history, expected) => {
    expect(planRestart({ policy: 'Always', backoff, history, nowMs: NOW_MS })).toEqual(expected);
  });

  it.each([
    ['Never', 'clean', 'stay'],
    ['Never', 'error', 'stay'],
    ['OnFailure', 'clean', 'stay'],
    ['OnFailure', 'error', 'restart'],
    ['OnFailure', 'unknown', 'restart'],
  ] as const)('%s, an end that is %s: %s', (policy, kind, expected) => {
    const history = { inARow: 0, endedAtMs: NOW_MS, end: { kind, message: '' } };
    expect(planRestart({ policy, backoff, history, nowMs: NOW_MS }).do).toBe(expected);
  });

  it('never waits longer than the limit', () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.integer(), (inARow, endedAtMs) => {
        const decision = planRestart({
          policy: 'Always',
          backoff,
          history: { inARow, endedAtMs },
          nowMs: NOW_MS,
        });
        expect(decision.do === 'wait' && (decision.afterMs > 8_000 || decision.afterMs <= 0)).toBe(false);
      }),
    );
  });
});

describe('restartRulesOf', () => {
  it.each([
    [
      'the defaults',
      undefined,
      { policy: 'Always', backoff: { initialMs: 1_000, maxMs: 300_000, resetAfterMs: 600_000 } },
    ],
    [
      'what is given, and the default for what is no duration',
      { policy: 'Never' as const, backoff: { initial: '250ms', max: 'soon', resetAfter: '1m30s' } },
      { policy: 'Never', backoff: { initialMs: 250, maxMs: 300_000, resetAfterMs: 90_000 } },
    ],
  ])('gives %s', (_what, restart, expected) => {
    expect(restartRulesOf(restart === undefined ? {} : { restart })).toEqual(expected);
  });
});

describe('what the agent remembers of a container', () => {
  const seen = (more: Partial<SeenInstance>) => ({ container: placed(), seen: instance(more), now });

  it('notices an end that nobody asked for, once', () => {
    const end = { kind: 'error' as const, message: 'Exited with status 3' };
    const ended = observeInstance(record(), seen({ status: 'Stopped', end }));
    expect(ended.history).toEqual({ inARow: 0, endedAtMs: NOW_MS, end });
    expect(observeInstance(ended, seen({ status: 'Stopped' }))).toBe(ended);
  });

  it.each([
    ['Stopped', 'unknown', 'How it ended is not known'],
    ['Error', 'error', 'The daemon reported an error'],
  ] as const)('takes %s without a word on how it ended for %s', (status, kind, message) => {
    expect(observeInstance(record(), seen({ status })).history.end).toEqual({ kind, message });
  });

  it('takes what the API says has run for ended, although the disk did not learn of its start', () => {
    const look = { ...seen({ status: 'Stopped' }), container: placed({}, {}, { phase: 'Running' }) };
    expect(observeInstance(record({ power: 'New' }), look).history.endedAtMs).toBe(NOW_MS);
  });

  it('counts the restart after it, whoever started it, once', () => {
    const ended = observeInstance(record(), seen({ status: 'Error' }));
    const running = seen({ lastStartedAt: 'later', lastStartedAtMs: NOW_MS });
    const again = observeInstance(ended, running);
    expect(again).toMatchObject({
      power: 'Running',
      restarts: 1,
      lastRestart: { time: now.iso, reason: 'Error', message: 'The daemon reported an error' },
      history: { inARow: 1, startedAtMs: NOW_MS },
    });
    expect(again.history.endedAtMs).toBeUndefined();
    expect(observeInstance(again, running)).toBe(again);
  });

  it('counts nothing when the daemon calls the run that has just ended Running once more', () => {
    const ended = observeInstance(record(), seen({ status: 'Stopped' }));
    expect(observeInstance(ended, seen({}))).toBe(ended);
    const later = { ...seen({}), now: { ...now, ms: NOW_MS + 10_000 } };
    expect(observeInstance(ended, later)).toMatchObject({ restarts: 1 });
  });

  it('takes neither a stop of its own nor a container that never ran for an end', () => {
    for (const before of [recordStopping(record()), record({ power: 'New' })]) {
      expect(observeInstance(before, seen({ status: 'Stopped' }))).toBe(before);
    }
  });

  it('forgets an end once the container is to be Stopped', () => {
    const ended = record({ history: { inARow: 2, endedAtMs: 1 } });
    const container = placed({ power: 'Stopped' });
    const after = observeInstance(ended, { container, seen: instance({ status: 'Stopped' }), now });
    expect(after).toMatchObject({ power: 'Stopped', history: { inARow: 2 } });
    expect(after.history.endedAtMs).toBeUndefined();
  });

  it('forgets on a new run what only the old one lacked', () => {
    const before = record({ restartRequired: ['security.nesting'] });
    expect(observeInstance(before, seen({})).restartRequired).toEqual(['security.nesting']);
    expect(observeInstance(before, seen({ lastStartedAt: 'later' })).restartRequired).toEqual([]);
  });

  it.each(['unknown', 'absent'] as const)('learns nothing from %s', (nothing) => {
    const before = record();
    expect(observeInstance(before, { container: placed(), seen: nothing, now })).toBe(before);
  });

  it("learns nothing from another Container's instance", () => {
    const before = record();
    const other = seen({ status: 'Stopped', mark: { uid: 'uid-old', epoch: 1, generation: 1 } });
    expect(observeInstance(before, other)).toBe(before);
  });

  it('takes over from the API what a lost disk does not know', () => {
    const container = placed(
      {},
      { annotations: { 'hostler.dev/restartedAt': 'x' } },
      { phase: 'Running', restarts: 4 },
    );
    expect(newRecord(container)).toMatchObject({ power: 'Running', restarts: 4, restartedAt: 'x' });
  });

  it('counts a restart with its start, and not again when it is seen to run', () => {
    const ended = record({
      history: { inARow: 2, endedAtMs: now.ms - 1, end: { kind: 'error', message: 'x' } },
    });
    const started = recordStarted(ended, placed(), now);
    expect(started).toMatchObject({ restarts: 1, lastRestart: { reason: 'Error' }, history: { inARow: 3 } });
    expect(started.history.endedAtMs).toBeUndefined();
    const run = seen({ lastStartedAt: 'later', lastStartedAtMs: now.ms });
    expect(observeInstance(started, run)).toMatchObject({ restarts: 1, history: { inARow: 3 } });
    const over = observeInstance(started, seen({ status: 'Stopped', lastStartedAt: 'later' }));
    expect(over).toMatchObject({ restarts: 1, history: { inARow: 3, endedAtMs: now.ms } });
  });

  it('fulfils the annotation by a start', () => {
    const container = placed({}, { annotations: { 'hostler.dev/restartedAt': 'x' } });
    expect(recordStarted(record({ restartRequired: ['a'] }), container, now)).toMatchObject({
      power: 'Running',
      restartedAt: 'x',
      restartRequired: [],
    });
  });
});
