/**
 * How the timing of a node changes while it holds its lease. The leader goes by what the version of the lease says that it
 * revokes, and it cannot be told which version that is: a renewal may arrive late, and its answer may be lost. So a node
 * that changes its timing is, at every moment, at least as strict as *each* version that may be the present one:
 *
 * - it counts its deadlines by the shortest `duration`, and its guard stops within the shortest `fenceDelay`, of what is
 *   wanted, of what the last version said, and of what renewals without an answer said;
 * - it states the wanted timing only once no deadline lies ahead that goes beyond what this timing gives, and only once its
 *   guard has confirmed that it keeps to it. Until then it goes on stating the timing before.
 *
 * So a longer timing counts from the answer to the first renewal that states it, and a shorter one is lived first, and stated
 * when what the longer one had given has run out. docs/design/0003-fencing.md argues why that suffices.
 */
import { defaultTiming, type FailoverTiming } from './timing.ts';

export interface NodeTiming {
  /** What people want; undefined: not known yet. */
  wanted: FailoverTiming | undefined;
  /** What the version of the lease says that was confirmed or read last; undefined: none was. */
  stated: FailoverTiming | undefined;
  /** The strictest of what versions may say of which nothing is known, those of an agent before this one included. */
  unsure: FailoverTiming | undefined;
}

/** What the guard of the host has confirmed. */
export interface GuardKeeps {
  /** Its deadline, on the clock that it shares with the agent. */
  deadlineMs: number;
  /** undefined: nothing yet. */
  kept: FailoverTiming | undefined;
}

/** @param before what an agent before this one went by; undefined: not known */
export function startNodeTiming(before: FailoverTiming | undefined): NodeTiming {
  return { wanted: undefined, stated: undefined, unsure: before };
}

/** What the node counts by. */
export function keptTiming({ wanted, stated, unsure }: NodeTiming): FailoverTiming {
  const known = [wanted, stated, unsure].filter((timing) => timing !== undefined);
  return known.length === 0 ? defaultTiming : known.reduce(strictest);
}

/** Whether anything is known of what the present version of the lease says. Without it, peers cannot be asked. */
export function isLeaseTimingKnown({ stated, unsure }: NodeTiming): boolean {
  return stated !== undefined || unsure !== undefined;
}

/**
 * What the next renewal is to state.
 * @param at.deadlineMs of the agent; `guard` undefined: none is armed, and the renewal says so
 */
export function timingToState(
  { wanted, stated }: NodeTiming,
  at: { nowMs: number; deadlineMs: number; guard: GuardKeeps | undefined },
): FailoverTiming {
  if (stated === undefined) return wanted ?? defaultTiming;
  if (wanted === undefined) return stated;
  const isLived = at.deadlineMs <= at.nowMs + wanted.durationMs;
  return isLived && (at.guard === undefined || isKeptBy(at.guard, wanted, at.nowMs)) ? wanted : stated;
}

/** Whether the guard stops in time for a leader that goes by `timing`, in a renewal that is sent now. */
export function isKeptBy({ deadlineMs, kept }: GuardKeeps, timing: FailoverTiming, nowMs: number): boolean {
  return (
    kept !== undefined &&
    deadlineMs <= nowMs + timing.durationMs &&
    kept.durationMs <= timing.durationMs &&
    kept.fenceDelayMs <= timing.fenceDelayMs &&
    kept.suspectAfterMs + kept.witnessMarginMs >= timing.suspectAfterMs + timing.witnessMarginMs
  );
}

export function onTimingWanted(state: NodeTiming, wanted: FailoverTiming): NodeTiming {
  return { ...state, wanted };
}

/** A renewal, or a request to be let in, that states `timing` is about to be sent. */
export function onTimingSent(state: NodeTiming, timing: FailoverTiming): NodeTiming {
  return { ...state, unsure: state.unsure === undefined ? timing : strictest(state.unsure, timing) };
}

/** The renewal succeeded: whatever was sent before it can no more. */
export function onTimingConfirmed(state: NodeTiming, timing: FailoverTiming): NodeTiming {
  return { ...state, stated: timing, unsure: undefined };
}

/** The lease was read. Writes that had no answer may still come. @param stated undefined: it says nothing */
export function onTimingRead(state: NodeTiming, stated: FailoverTiming | undefined): NodeTiming {
  return { ...state, stated };
}

/** The pace is the faster one; an age counts as silence only when both say so. */
function strictest(one: FailoverTiming, other: FailoverTiming): FailoverTiming {
  return {
    renewMs: Math.min(one.renewMs, other.renewMs),
    durationMs: Math.min(one.durationMs, other.durationMs),
    fenceDelayMs: Math.min(one.fenceDelayMs, other.fenceDelayMs),
    suspectAfterMs: Math.max(one.suspectAfterMs, other.suspectAfterMs),
    witnessMarginMs: Math.max(one.witnessMarginMs, other.witnessMarginMs),
  };
}
