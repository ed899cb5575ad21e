import type { Clock } from '../../src/ports/clock.ts';

/** A clock that stands still until `advance`; both readings move together. */
export interface FakeClock extends Clock {
  /** Moves on by `ms`, running what is due on the way in order and letting promises settle in between. */
  advance(ms: number): Promise<void>;
  /** Moves only the wall clock, as when a person sets it. */
  setWall(nowMs: number): void;
  /** How many callbacks are scheduled: 0 after a clean stop. */
  pending(): number;
}

interface Entry {
  dueMs: number;
  order: number;
  run: () => void;
}

export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  const entries = new Set<Entry>();
  let monotonicMs = 1_000;
  let wallOffsetMs = startMs - monotonicMs;
  let order = 0;

  const nextDue = (untilMs: number): Entry | undefined => {
    let next: Entry | undefined;
    for (const entry of entries) {
      const isEarlier =
        !next || entry.dueMs < next.dueMs || (entry.dueMs === next.dueMs && entry.order < next.order);
      if (entry.dueMs <= untilMs && isEarlier) next = entry;
    }
    return next;
  };

  return {
    nowMs: () => monotonicMs + wallOffsetMs,
    monotonicMs: () => monotonicMs,
    schedule(delayMs, run) {
      const entry = { dueMs: monotonicMs + Math.max(0, delayMs), order: order++, run };
      entries.add(entry);
      return { cancel: () => void entries.delete(entry) };
    },
    async advance(ms) {
      const untilMs = monotonicMs + ms;
      await settle();
      for (let entry = nextDue(untilMs); entry; entry = nextDue(untilMs)) {
        entries.delete(entry);
        monotonicMs = Math.max(monotonicMs, entry.dueMs);
        entry.run();
        await settle();
      }
      monotonicMs = untilMs;
      await settle();
    },
    setWall(nowMs) {
      wallOffsetMs = nowMs - monotonicMs;
    },
    pending: () => entries.size,
  };
}

/** Lets every promise that can settle without I/O or timers do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
