import type { Clock } from '../ports/clock.ts';

/** Now, as `metav1.Time` writes it: RFC 3339 in UTC, whole seconds. */
export function timeStamp(clock: Pick<Clock, 'nowMs'>): string {
  return `${new Date(clock.nowMs()).toISOString().slice(0, 19)}Z`;
}
