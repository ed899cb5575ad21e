/**
 * When a certificate is renewed. Pure: times are wall-clock milliseconds since 1970, as certificates have them.
 *
 * It is done after 60 to 70 % of its life, so that what goes wrong can be mended for a third of it, and at another time by
 * each of many that were issued together.
 */
export interface Life {
  notBeforeMs: number;
  notAfterMs: number;
}

const EARLIEST = 0.6;
const SPREAD = 0.1;
/** With less than this part of its life left, one that is not renewed is news. */
const SOON = 0.25;
const RETRIES_LEFT = 50;
const SOONEST_RETRY_MS = 10_000;
const LATEST_RETRY_MS = 600_000;
const PAUSE = 0.05;
const LONGEST_PAUSE_MS = 3_600_000;

/**
 * @param fingerprint hexadecimal, by which equal lives are told apart; the same gives the same time
 * @returns when to renew
 */
export function renewAtMs({ notBeforeMs, notAfterMs }: Life, fingerprint: string): number {
  const share = Number.parseInt(fingerprint.slice(0, 8), 16) / 0x1_0000_0000;
  const spread = Number.isFinite(share) ? share * SPREAD : 0;
  return notBeforeMs + (notAfterMs - notBeforeMs) * (EARLIEST + spread);
}

/**
 * @returns how long to wait after a failure: shorter the less is left, 10 s to 10 min. Once nothing is left there is no hurry:
 * the API does not know the agent any more, or the host's clock is wrong
 */
export function retryAfterMs({ notAfterMs }: Life, nowMs: number): number {
  if (notAfterMs <= nowMs) return LATEST_RETRY_MS;
  return within((notAfterMs - nowMs) / RETRIES_LEFT, SOONEST_RETRY_MS, LATEST_RETRY_MS);
}

/** @returns how long no other is asked for after a renewal, even if it seems due: by a clock that is far ahead it always does */
export function pauseAfterMs({ notBeforeMs, notAfterMs }: Life): number {
  return within((notAfterMs - notBeforeMs) * PAUSE, SOONEST_RETRY_MS, LONGEST_PAUSE_MS);
}

const within = (ms: number, leastMs: number, mostMs: number): number =>
  Math.min(Math.max(ms, leastMs), mostMs);

/** Whether people are to know that it has not been renewed. */
export function endsSoon({ notBeforeMs, notAfterMs }: Life, nowMs: number): boolean {
  return notAfterMs - nowMs < (notAfterMs - notBeforeMs) * SOON;
}
