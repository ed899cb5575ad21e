/**
 * How fast containers of lost hosts are placed elsewhere, for each failure domain apart: a whole zone that goes down must not
 * bring the others down by its load. A bucket of `burst` tokens that fills by `perSecond`.
 */
export interface RateLimit {
  /** Whether one more may be placed now. */
  has(domain: string, nowMs: number): boolean;
  take(domain: string, nowMs: number): void;
  /** Milliseconds until one more may be placed; 0: now. */
  waitMs(domain: string, nowMs: number): number;
}

export const defaultRate = { perSecond: 10, burst: 50 };

/** @param rate both more than 0 */
export function createRateLimit({ perSecond, burst } = defaultRate): RateLimit {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  const tokens = (domain: string, nowMs: number): number => {
    const bucket = buckets.get(domain);
    if (bucket === undefined) return burst;
    return Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * perSecond);
  };
  return {
    has: (domain, nowMs) => tokens(domain, nowMs) >= 1,
    take: (domain, nowMs) => void buckets.set(domain, { tokens: tokens(domain, nowMs) - 1, atMs: nowMs }),
    waitMs: (domain, nowMs) => Math.max(0, Math.ceil(((1 - tokens(domain, nowMs)) / perSecond) * 1_000)),
  };
}
