import type { Lease } from '../../crds/lease.ts';
import { defaultTiming, type FailoverTiming } from '../../plan/failover/timing.ts';
import {
  isKeptBy,
  isLeaseTimingKnown,
  keptTiming,
  onTimingConfirmed,
  onTimingRead,
  onTimingSent,
  onTimingWanted,
  startNodeTiming,
  timingToState,
} from '../../plan/failover/timing-change.ts';
import type { GuardReport } from '../../ports/guard.ts';
import { isSameJson } from '../../reconcile/same-json.ts';
import type { GuardLink } from '../guard/guard-link.ts';
import { type Renewal, statedBy } from './lease-object.ts';

/** What a renewal says of the node. */
export type Said = Pick<Renewal, 'timing' | 'isGuardArmed'>;

/** The timing of this node's lease, while it changes: plan/failover/timing-change with what it is fed with. */
export interface TimingKeeper {
  /** What an agent before this one went by, as its guard knows. */
  begin(report: GuardReport | undefined): Before | undefined;
  want(timing: FailoverTiming): void;
  /** What everything on this node is counted by. */
  kept(): FailoverTiming;
  /** What the lease states; undefined: it was not read yet. */
  stated(): FailoverTiming | undefined;
  /** Whether enough is known for asking the peers. */
  isKnown(): boolean;
  /** For a renewal that is sent now. */
  toSay(nowMs: number, deadlineMs: number): Said;
  /** For a request to be let in, which ends every deadline. */
  toAsk(): FailoverTiming;
  onSent(timing: FailoverTiming): void;
  onConfirmed(timing: FailoverTiming): void;
  onRead(lease: Lease | undefined): void;
}

interface Before {
  timing: FailoverTiming;
  liveUntilMs: number;
}

/** @param onStated the lease states another timing now */
export function createTimingKeeper(guard: Pick<GuardLink, 'keeps'>, onStated: () => void): TimingKeeper {
  let state = startNodeTiming(undefined);
  const change = (next: typeof state): void => {
    const isNews = !isSameJson(state.stated, next.stated);
    state = next;
    if (isNews) onStated();
  };
  return {
    begin(report) {
      const isArmed =
        report !== undefined && (report.timing !== undefined || Number.isFinite(report.deadlineMs));
      if (!isArmed) return undefined;
      const { timing = defaultTiming, liveUntilMs } = report;
      state = { ...startNodeTiming(timing), wanted: state.wanted };
      return { timing, liveUntilMs };
    },
    want: (timing) => change(onTimingWanted(state, timing)),
    kept: () => keptTiming(state),
    stated: () => state.stated,
    isKnown: () => isLeaseTimingKnown(state),
    toSay(nowMs, deadlineMs) {
      const keeps = guard.keeps();
      const timing = timingToState(state, { nowMs, deadlineMs, guard: keeps });
      const held = keeps && { ...keeps, deadlineMs: Math.max(keeps.deadlineMs, deadlineMs) };
      return { timing, isGuardArmed: held !== undefined && isKeptBy(held, timing, nowMs) };
    },
    toAsk: () => state.wanted ?? state.stated ?? defaultTiming,
    onSent: (timing) => change(onTimingSent(state, timing)),
    onConfirmed: (timing) => change(onTimingConfirmed(state, timing)),
    onRead: (lease) => change(onTimingRead(state, statedBy(lease))),
  };
}
