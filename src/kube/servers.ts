import type { Clock } from '../ports/clock.ts';

/**
 * In which order API servers are tried: the one that worked last, then the others as they are listed, and behind them those that
 * failed, for a time that doubles with each failure in a row. None is ever left out: what is bad for one client may be all there is.
 */
export interface ServerOrder {
  ranked(servers: readonly string[]): string[];
  worked(server: string): void;
  failed(server: string): void;
}

const FIRST_PENALTY_MS = 1_000;
const LONGEST_PENALTY_MS = 30_000;

interface Failures {
  inARow: number;
  untilMs: number;
}

export function createServerOrder(clock: Pick<Clock, 'monotonicMs'>): ServerOrder {
  const failures = new Map<string, Failures>();
  let preferred: string | undefined;
  const penaltyEndMs = (server: string, nowMs: number): number => {
    const { untilMs = 0 } = failures.get(server) ?? {};
    return untilMs > nowMs ? untilMs : 0;
  };
  return {
    ranked(servers) {
      const nowMs = clock.monotonicMs();
      const isLater = (server: string): number => (server === preferred ? 0 : 1);
      // The sort is stable: what is equal stays in the order of the list.
      return [...servers].sort(
        (a, b) => penaltyEndMs(a, nowMs) - penaltyEndMs(b, nowMs) || isLater(a) - isLater(b),
      );
    },
    worked(server) {
      preferred = server;
      failures.delete(server);
    },
    failed(server) {
      const inARow = (failures.get(server)?.inARow ?? 0) + 1;
      const penaltyMs = Math.min(LONGEST_PENALTY_MS, FIRST_PENALTY_MS * 2 ** (inARow - 1));
      failures.set(server, { inARow, untilMs: clock.monotonicMs() + penaltyMs });
    },
  };
}
