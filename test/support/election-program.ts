import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { createEtcdLeaderLease } from '../../src/etcd/leader-lease.ts';
import { systemClock } from '../../src/ports/clock.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { noMetrics } from '../../src/ports/metrics.ts';
import { runElection } from '../../src/reconcile/election.ts';

/**
 * A controller process that does nothing but act as leader: every few milliseconds it appends one line
 * `<monotonic ns> <holder> <createRevision>` to a file, which says that it led at that time. The time is taken *before*
 * the look at the deadline, so a line is never truer than it claims. Arguments: endpoint, key, holder, file.
 */
const [endpoint = '', key = '', holder = '', file = ''] = process.argv.slice(2);
const actEveryMs = 3;

const lease = createEtcdLeaderLease({ endpoints: [endpoint], key, logger: silentLogger });
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

const end = await runElection(
  {
    lease,
    holder,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    async lead(term, signal) {
      while (!signal.aborted) {
        const now = process.hrtime.bigint();
        if (term.isLeading()) appendFileSync(file, `${now} ${holder} ${term.createRevision}\n`);
        await pause(actEveryMs);
      }
    },
  },
  stop.signal,
);
await lease.close();
process.exitCode = end.reason === 'stopped' ? 0 : 3;
