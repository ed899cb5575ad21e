import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import type { LeaderLease, LeaderTerm } from '../../../src/ports/leader-lease.ts';

/** Two replicas' leases on one key of their own for each test, and how time goes by. */
export interface LeasesUnderTest {
  pair(): { first: LeaderLease; second: LeaderLease; deleteKey: () => Promise<void> };
  /** Lets so much time go by. */
  pass(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export const shortestTtlSeconds = 2;

export function leaderLeaseContract(adapter: string, start: () => Promise<LeasesUnderTest>): void {
  describe(`${adapter} keeps the contract of LeaderLease`, () => {
    const signal = new AbortController().signal;
    let under: LeasesUnderTest;

    beforeAll(async () => {
      under = await start();
    });
    afterAll(async () => {
      await under.stop();
    });

    const take = async (lease: LeaderLease, holder: string): Promise<LeaderTerm> => {
      const result = await lease.acquire(holder, shortestTtlSeconds, signal);
      if (!result.acquired) throw new Error(`${result.holder} has it`);
      return result.term;
    };
    const codeOf = async (call: Promise<unknown>): Promise<string> => {
      try {
        await call;
        return 'none';
      } catch (error) {
        return errorCode(error);
      }
    };

    it('gives the key to one and names it to the other', async () => {
      const { first, second } = under.pair();
      const term = await take(first, 'first');
      expect(term).toMatchObject({ holder: 'first' });
      expect(await second.acquire('second', shortestTtlSeconds, signal)).toEqual({
        acquired: false,
        holder: 'first',
      });
    });

    it('gives the key to one of two who ask at once', async () => {
      const { first, second } = under.pair();
      const results = await Promise.all([
        first.acquire('first', shortestTtlSeconds, signal),
        second.acquire('second', shortestTtlSeconds, signal),
      ]);
      expect(results.filter(({ acquired }) => acquired)).toHaveLength(1);
    });

    it('frees the key when the lease runs out, and then refuses to renew it', async () => {
      const { first, second } = under.pair();
      const term = await take(first, 'first');
      const free = second.waitUntilFree(signal);
      await under.pass(shortestTtlSeconds * 1_000 + 2_500);
      await free;
      const next = await take(second, 'second');
      expect(next.createRevision).toBeGreaterThan(term.createRevision);
      expect(await codeOf(first.renew(term, signal))).toBe('NotFound');
    });

    it('keeps the key as long as the lease is renewed', async () => {
      const { first, second } = under.pair();
      const term = await take(first, 'first');
      for (let round = 0; round < 4; round++) {
        await under.pass(shortestTtlSeconds * 500);
        await first.renew(term, signal);
      }
      expect(await second.acquire('second', shortestTtlSeconds, signal)).toMatchObject({ acquired: false });
    });

    it('frees the key at once when it is released, which may be said twice', async () => {
      const { first, second } = under.pair();
      const term = await take(first, 'first');
      const free = second.waitUntilFree(signal);
      await first.release(term, signal);
      await free;
      await first.release(term, signal);
      expect(await take(second, 'second')).toMatchObject({ holder: 'second' });
    });

    it('does not release or renew the next term by the last one', async () => {
      const { first, second } = under.pair();
      const term = await take(first, 'first');
      await first.release(term, signal);
      await take(second, 'second');
      await first.release(term, signal);
      expect(await codeOf(first.renew(term, signal))).toBe('NotFound');
      expect(await first.acquire('first', shortestTtlSeconds, signal)).toMatchObject({ acquired: false });
    });

    it('refuses to renew when the key was deleted by hand', async () => {
      const { first, second, deleteKey } = under.pair();
      const term = await take(first, 'first');
      const free = second.waitUntilFree(signal);
      await deleteKey();
      await free;
      expect(await codeOf(first.renew(term, signal))).toBe('NotFound');
    });

    it('ends the wait at once when the key is free, and when it is aborted', async () => {
      const { first, second } = under.pair();
      await second.waitUntilFree(signal);
      await take(first, 'first');
      const abort = new AbortController();
      const wait = second.waitUntilFree(abort.signal).catch((error: unknown) => errorCode(error));
      abort.abort();
      expect([undefined, 'Aborted']).toContain(await wait);
    });
  });
}
