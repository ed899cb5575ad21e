import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { runElection } from '../../../src/reconcile/election.ts';
import type { Leadership } from '../../../src/reconcile/election.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFakeLeaderStore } from '../../support/fake-leader-lease.ts';

const fault = fc.record({
  replica: fc.nat({ max: 2 }),
  state: fc.constantFrom('well' as const, 'reject' as const, 'hang' as const, 'dropReplies' as const),
  afterMs: fc.integer({ min: 0, max: 3_000 }),
});

describe('an election under any sequence of network faults', () => {
  it('never has two leaders at an instant, nor a leader of an older term after one of a newer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 12 }), async (faults) => {
        const clock = createFakeClock();
        const store = createFakeLeaderStore(clock);
        const terms: Leadership[] = [];
        const stop = new AbortController();
        const leases = ['a', 'b', 'c'].map((holder) => {
          const lease = store.connect();
          void runElection(
            {
              lease,
              holder,
              clock,
              logger: silentLogger,
              metrics: noMetrics,
              lead(term, signal) {
                terms.push(term);
                return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
              },
            },
            stop.signal,
          );
          return lease;
        });
        let newest = 0;
        for (const { replica, state, afterMs } of faults) {
          leases[replica]?.network(state);
          for (let passedMs = 0; passedMs <= afterMs; passedMs += 250) {
            await clock.advance(250);
            const leading = terms.filter((term) => term.isLeading());
            expect(leading.length).toBeLessThanOrEqual(1);
            expect(leading[0]?.createRevision ?? newest).toBeGreaterThanOrEqual(newest);
            newest = leading[0]?.createRevision ?? newest;
          }
        }
        for (const lease of leases) lease.network('well');
        stop.abort();
        await clock.advance(20_000);
      }),
      { numRuns: 60, seed: 5 },
    );
  });
});
