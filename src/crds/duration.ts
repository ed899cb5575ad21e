import { Type } from 'typebox';

/** A Go duration as `metav1.Duration` writes it: `1s`, `1m30s`, `250ms`. */
export const DURATION_PATTERN = '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$';
const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

export function durationSchema(description: string, defaultValue: string) {
  return Type.Unsafe<string>({
    type: 'string',
    pattern: DURATION_PATTERN,
    description,
    default: defaultValue,
  });
}

/** @returns milliseconds, or undefined when `duration` is not one */
export function parseDurationMs(duration: string): number | undefined {
  if (!new RegExp(DURATION_PATTERN).test(duration)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of duration.matchAll(/([0-9.]+)(ms|s|m|h)/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit as string] as number);
  }
  return totalMs;
}
