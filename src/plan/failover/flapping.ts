/**
 * A node that is lost again and again gets no new containers for a while, which doubles with each loss in a row. It is
 * judged by wall-clock times of several leaders: nothing that must not run twice depends on it.
 */
const IN_A_ROW_MS = 10 * 60_000;
const FIRST_HOLD_MS = 60_000;
const LONGEST_HOLD_MS = 3_600_000;
/** Enough to reach the longest hold. */
const KEPT = 8;

/** @param losses wall-clock milliseconds, oldest first @returns them with one more, the oldest forgotten */
export function afterLoss(losses: readonly number[], nowMs: number): number[] {
  return [...losses, nowMs].slice(-KEPT);
}

/** @returns wall-clock milliseconds until which the node is not placed on; undefined when it may be */
export function heldUntilMs(losses: readonly number[], nowMs: number): number | undefined {
  const last = losses.at(-1);
  if (last === undefined) return undefined;
  let inARow = 1;
  for (let index = losses.length - 1; index > 0; index -= 1) {
    if ((losses[index] as number) - (losses[index - 1] as number) > IN_A_ROW_MS + holdMs(inARow)) break;
    inARow += 1;
  }
  const untilMs = last + holdMs(inARow);
  return nowMs < untilMs ? untilMs : undefined;
}

function holdMs(inARow: number): number {
  return inARow < 2 ? 0 : Math.min(LONGEST_HOLD_MS, FIRST_HOLD_MS * 2 ** (inARow - 2));
}
