import { armGuard, type GuardState } from '../../src/plan/failover/guard.ts';
import { defaultTiming, type FailoverTiming } from '../../src/plan/failover/timing.ts';
import {
  type GuardKeeps,
  isKeptBy,
  isLeaseTimingKnown,
  keptTiming,
  onTimingConfirmed,
  onTimingRead,
  onTimingSent,
  onTimingWanted,
  startNodeTiming,
  timingToState,
} from '../../src/plan/failover/timing-change.ts';
import type { GuardLease, GuardReport } from '../../src/ports/guard.ts';

/** The timing of an agent's lease while it changes, with what its guard has confirmed: as src/agent/node/timing-keeper.ts has it. */
export interface AgentTiming {
  /** A new process. */
  begin(report: GuardReport): { timing: FailoverTiming; liveUntilMs: number } | undefined;
  want(timing: FailoverTiming): void;
  /** What it counts by. */
  kept(): FailoverTiming;
  isKnown(): boolean;
  isArmed(): boolean;
  toSay(nowMs: number, untilMs: number): { timing: FailoverTiming; isGuarded: boolean };
  toAsk(): FailoverTiming;
  onSent(timing: FailoverTiming): void;
  onConfirmed(timing: FailoverTiming): void;
  onRead(stated: FailoverTiming | undefined): void;
  /** The guard has taken this order. */
  onOrdered(lease: GuardLease): void;
}

export function createAgentTiming(): AgentTiming {
  let state = startNodeTiming(undefined);
  let held: GuardState = { term: 0, deadlineMs: Number.NEGATIVE_INFINITY };
  let confirmed: FailoverTiming | undefined;
  /** Worked out once for each state. */
  let workedOut = { from: state, kept: keptTiming(state) };

  const kept = (): FailoverTiming => {
    if (workedOut.from !== state) workedOut = { from: state, kept: keptTiming(state) };
    return workedOut.kept;
  };

  return {
    kept,
    begin({ timing, liveUntilMs, term, deadlineMs }) {
      state = startNodeTiming(timing);
      held = { term, deadlineMs };
      confirmed = undefined;
      return timing === undefined ? undefined : { timing, liveUntilMs };
    },
    want: (timing) => void (state = onTimingWanted(state, timing)),
    isKnown: () => isLeaseTimingKnown(state),
    isArmed: () => confirmed !== undefined,
    toSay(nowMs, untilMs) {
      const guard: GuardKeeps | undefined =
        confirmed === undefined ? undefined : { deadlineMs: held.deadlineMs, kept: confirmed };
      const timing = timingToState(state, { nowMs, deadlineMs: untilMs, guard });
      if (guard === undefined) return { timing, isGuarded: false };
      const holds = { ...guard, deadlineMs: Math.max(guard.deadlineMs, untilMs) };
      return { timing, isGuarded: isKeptBy(holds, timing, nowMs) };
    },
    toAsk: () => state.wanted ?? state.stated ?? defaultTiming,
    onSent: (timing) => void (state = onTimingSent(state, timing)),
    onConfirmed: (timing) => void (state = onTimingConfirmed(state, timing)),
    onRead: (stated) => void (state = onTimingRead(state, stated)),
    onOrdered(lease) {
      held = armGuard(held, lease);
      confirmed = lease.timing;
    },
  };
}
