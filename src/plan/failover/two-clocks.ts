/**
 * A host has two clocks: the monotonic one, which nobody can set and which stands still while the host sleeps, and the wall
 * clock, which goes on meanwhile. A permission ends when either says so, and a time is as long as the longer of the two.
 */
export interface Moment {
  monotonicMs: number;
  wallMs: number;
}

/** How long it is until `end`; negative: since when it has passed. */
export function leftMs(end: Moment, now: Moment): number {
  return Math.min(end.monotonicMs - now.monotonicMs, end.wallMs - now.wallMs);
}

export function elapsedMs(from: Moment, to: Moment): number {
  return Math.max(to.monotonicMs - from.monotonicMs, to.wallMs - from.wallMs);
}

/** `at`, `spanMs` later by both clocks. */
export function after(at: Moment, spanMs: number): Moment {
  return { monotonicMs: at.monotonicMs + spanMs, wallMs: at.wallMs + spanMs };
}

/** The monotonic reading at which as much would be left until `end` as there truly is. */
export function nowBefore(end: Moment, now: Moment): number {
  return Number.isFinite(end.monotonicMs) ? end.monotonicMs - leftMs(end, now) : now.monotonicMs;
}
