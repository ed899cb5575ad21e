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

export const defaultTiming: FailoverTiming = {
  renewMs: 1_000,
  durationMs: 5_000,
  fenceDelayMs: 3_000,
  suspectAfterMs: 2_000,
  witnessMarginMs: 250,
};

/** Stopping through the daemon (1 s at most), then by SIGKILL, with room for a busy host. */
const LEAST_FENCE_DELAY_MS = 500;

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
  if (fenceDelayMs < LEAST_FENCE_DELAY_MS) {
    faults.push(
      `fenceDelay (${fenceDelayMs} ms) must be at least ${LEAST_FENCE_DELAY_MS} ms: stopping containers takes that long`,
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
