import { leastFenceDelayMs } from '../../crds/lease-timing.ts';

/** How long everything takes that keeps a container from running twice. All in milliseconds. */
export interface FailoverTiming {
  /** Time between two renewals of a node lease. */
  renewMs: number;
  /** How long a renewal lets a node run its failover-eligible containers, counted from when it was *sent*. */
  durationMs: number;
  /** What the leader waits on top, so that a node whose time is up has stopped its containers. */
  fenceDelayMs: number;
  /** A node whose last renewal was sent longer ago does not count towards the majority that the storm brake wants. */
  suspectAfterMs: number;
  /** Added to suspectAfterMs by nodes when they count peers that are cut off: covers the drift of their clocks. */
  witnessMarginMs: number;
}

/** Of `renew`: the age at which the last renewal counts as missing. */
const SUSPECT_AFTER = 2;
/** Of `duration`: more than clocks drift in suspectAfter. */
const WITNESS_MARGIN = 0.05;

/** The whole timing, from the three values that people set (crds/lease-timing.ts, whose rules leave room for the others). */
export function timingFrom(
  set: Pick<FailoverTiming, 'renewMs' | 'durationMs' | 'fenceDelayMs'>,
): FailoverTiming {
  const { renewMs, durationMs, fenceDelayMs } = set;
  return {
    renewMs,
    durationMs,
    fenceDelayMs,
    suspectAfterMs: renewMs * SUSPECT_AFTER,
    witnessMarginMs: durationMs * WITNESS_MARGIN,
  };
}

export const defaultTiming: FailoverTiming = timingFrom({
  renewMs: 1_000,
  durationMs: 5_000,
  fenceDelayMs: 3_000,
});

/** @returns what is wrong with `timing`, in words for whoever set it; empty when the protocol can keep its promises */
export function timingFaults(timing: FailoverTiming): string[] {
  const faults: string[] = [];
  for (const [name, value] of Object.entries(timing)) {
    if (!Number.isFinite(value) || value <= 0) faults.push(`${name} must be more than 0, not ${value}`);
  }
  const { renewMs, durationMs, fenceDelayMs, suspectAfterMs, witnessMarginMs } = timing;
  if (renewMs * 2 > durationMs) {
    faults.push(
      `renew (${renewMs} ms) must be at most half of duration (${durationMs} ms): one lost renewal must not end a lease`,
    );
  }
  const leastMs = leastFenceDelayMs(durationMs);
  if (fenceDelayMs < leastMs) {
    faults.push(
      `fenceDelay (${fenceDelayMs} ms) must be at least ${leastMs} ms: stopping containers takes that long, with the drift of clocks`,
    );
  }
  if (suspectAfterMs <= renewMs) {
    faults.push(
      `suspectAfter (${suspectAfterMs} ms) must be more than renew (${renewMs} ms): every node would be suspect`,
    );
  }
  if (2 * renewMs + suspectAfterMs + witnessMarginMs >= durationMs) {
    faults.push(
      `duration (${durationMs} ms) must be more than 2 × renew + suspectAfter + margin (${2 * renewMs + suspectAfterMs + witnessMarginMs} ms): ` +
        'in an outage nodes could not confirm it to each other in time',
    );
  }
  return faults;
}
