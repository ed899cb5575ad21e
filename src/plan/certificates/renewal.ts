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
const SOONEST_RETRY_MS = 1_000;
const LATEST_RETRY_MS = 600_000;

/**
 * @param fingerprint hexadecimal, by which equal lives are told apart; the same gives the same time
 * @returns when to renew
 */
export function renewAtMs({ notBeforeMs, notAfterMs }: Life, fingerprint: string): number {
  const share = Number.parseInt(fingerprint.slice(0, 8), 16) / 0x1_0000_0000;
  const spread = Number.isFinite(share) ? share * SPREAD : 0;
  return notBeforeMs + (notAfterMs - notBeforeMs) * (EARLIEST + spread);
}

/** @returns how long to wait after a failure: shorter the less is left, 1 s to 10 min */
export function retryAfterMs({ notAfterMs }: Life, nowMs: number): number {
  const share = (notAfterMs - nowMs) / RETRIES_LEFT;
  return Math.min(Math.max(share, SOONEST_RETRY_MS), LATEST_RETRY_MS);
}

/** Whether people are to know that it has not been renewed. */
export function endsSoon({ notBeforeMs, notAfterMs }: Life, nowMs: number): boolean {
  return notAfterMs - nowMs < (notAfterMs - notBeforeMs) * SOON;
}
