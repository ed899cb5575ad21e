import { humanDuration } from '../builtin/human-duration.ts';

/** The age of an RFC 3339 time, as kubectl's AGE column has it. */
export function ageOf(time: unknown, nowMs: number): string {
  if (typeof time !== 'string' || time === '') return '<unknown>';
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? '<invalid>' : humanDuration(nowMs - ms);
}
