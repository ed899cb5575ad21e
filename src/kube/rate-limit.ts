import type { Clock } from '../ports/clock.ts';

/** A bucket of tokens for each key; of keys not used for long the bucket is forgotten, which fills it again. */
export function createRateLimit(
  clock: Clock,
  { burst, refillMs, maxKeys }: { burst: number; refillMs: number; maxKeys: number },
): { take(key: string): boolean } {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return {
    take(key) {
      const nowMs = clock.monotonicMs();
      const old = buckets.get(key) ?? { tokens: burst, atMs: nowMs };
      const tokens = Math.min(burst, old.tokens + (nowMs - old.atMs) / refillMs);
      const isAllowed = tokens >= 1;
      buckets.delete(key);
      buckets.set(key, { tokens: isAllowed ? tokens - 1 : tokens, atMs: nowMs });
      const [oldest] = buckets.keys();
      if (buckets.size > maxKeys && oldest !== undefined) buckets.delete(oldest);
      return isAllowed;
    },
  };
}
