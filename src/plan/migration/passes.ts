/** What a pass of the copy has shown. */
export interface PassResult {
  /** How many are done, this one included (>= 1). */
  passes: number;
  bytes: number;
  tookMs: number;
  /** Of the pass before; undefined: there was none. */
  previousMs?: number;
}

/** The source offers it while the target still looks whether it can take it. */
export const FIRST_PASS = 1;

/** A pass that carried no more is not worth another one before the last. */
export const SMALL_BYTES = 8 * 2 ** 20;
export const SMALL_MS = 500;
/** A pass shrinks when it takes at most this part of the one before. */
const SHRINKS = 0.75;
export const MAX_PASSES = 6;

/**
 * Whether one more pass while the container runs makes the last one, for which it pauses, shorter: until what is left is
 * small or does not shrink any more, and at most MAX_PASSES. What is left is what has changed during this pass: as much as it carried
 * itself, which had changed during the one before, by the ratio of their times.
 */
export function isWorthAnother({ passes, bytes, tookMs, previousMs }: PassResult): boolean {
  if (passes >= MAX_PASSES || bytes <= SMALL_BYTES || tookMs <= SMALL_MS) return false;
  if (previousMs === undefined) return true;
  const ratio = tookMs / previousMs;
  return ratio <= SHRINKS && bytes * ratio > SMALL_BYTES && tookMs * ratio > SMALL_MS;
}

/** So many passes in a row may fail while the container runs, and while it pauses. */
export const MAX_FAILURES = 5;
export const MAX_FINAL_FAILURES = 2;

const PAUSE_MS = 120_000;

/**
 * How long a container may stay held before it goes on where it was.
 * @param maxPauseMs what its Migration allows
 */
export function holdLimitMs(limits: {
  maxPauseMs: number | undefined;
  lastPassMs: number;
  stopMs: number;
}): number {
  const { maxPauseMs, lastPassMs, stopMs } = limits;
  return maxPauseMs ?? Math.max(PAUSE_MS, lastPassMs * 4) + stopMs;
}
