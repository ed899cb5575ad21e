import { armGuard, disarmed, type GuardState } from '../plan/failover/guard.ts';
import { mayRun } from '../plan/failover/permission.ts';
import type { Clock } from '../ports/clock.ts';
import type { GuardedContainer, GuardOrder, GuardReport, KeptTiming } from '../ports/guard.ts';

/**
 * What a guard knows, and what follows from it. The permission to run ends at the lower of two deadlines: the monotonic
 * one, which nobody can set, and the wall clock's, which goes on while the machine is suspended. A wall clock that is set
 * forward ends it early, which is safe; one that is set back changes nothing.
 */
export interface Keeper {
  order(order: GuardOrder): void;
  mayStart(container: GuardedContainer): boolean;
  /** What must not run now; undefined while everything may. */
  due(): Due | undefined;
  report(): GuardReport;
  /** For the disk. */
  memory(): KeeperMemory;
}

export interface Due {
  containers: readonly GuardedContainer[];
  /** How long the daemon may still take to stop them; at 0 they are killed. */
  daemonMs: number;
}

export interface KeeperMemory {
  guard: GuardState;
  wallDeadlineMs: number;
  /** Absent: it was never armed. */
  timing?: KeptTiming;
  liveUntilMs: number;
  startMarginMs: number;
  released: boolean;
  containers: readonly GuardedContainer[];
}

const NEVER = Number.NEGATIVE_INFINITY;
/** The daemon gets this at most, and a third of the time there is. */
const DAEMON_MS = 1_000;
const DEFAULT_FENCE_DELAY_MS = 3_000;

/** A guard that was never armed. */
export const emptyMemory: KeeperMemory = {
  guard: disarmed,
  wallDeadlineMs: NEVER,
  liveUntilMs: NEVER,
  startMarginMs: 0,
  released: false,
  containers: [],
};

/** @param remembered what the guard before this one held: its deadline only if the machine was not started since */
export function createKeeper(clock: Clock, remembered: KeeperMemory): Keeper {
  let held = remembered;

  /** How long the permission lasts; negative: since when it has ended. */
  const leftMs = (): number =>
    Math.min(held.guard.deadlineMs - clock.monotonicMs(), held.wallDeadlineMs - clock.nowMs());

  return {
    order({ lease, containers, released = false }) {
      held = { ...held, released, ...(containers === undefined ? {} : { containers }) };
      if (lease === undefined) return;
      const { timing, startMarginMs } = lease;
      const guard = armGuard(held.guard, lease);
      const isMoved = guard.deadlineMs !== held.guard.deadlineMs;
      const wallDeadlineMs = isMoved ? lease.wallDeadlineMs : held.wallDeadlineMs;
      const liveUntilMs = Math.max(held.liveUntilMs, lease.liveUntilMs);
      held = { ...held, guard, wallDeadlineMs, timing, liveUntilMs, startMarginMs };
    },
    mayStart({ instance, uid, term }) {
      const known = held.containers.find((container) => container.instance === instance);
      if (held.released || known?.uid !== uid || known.term !== term) return false;
      const here = { nodeName: '', term };
      // In one clock: what is left of the lower deadline.
      const holder = { node: '', term: held.guard.term, deadlineMs: leftMs() };
      return mayRun(here, holder, held.startMarginMs);
    },
    due() {
      const left = leftMs();
      if (held.released || left > 0) return undefined;
      const daemonMs = Math.max(
        0,
        Math.min(DAEMON_MS, (held.timing?.fenceDelayMs ?? DEFAULT_FENCE_DELAY_MS) / 3) + left,
      );
      return { containers: held.containers, daemonMs };
    },
    report: () => ({
      term: held.guard.term,
      // On one clock, which the agent can count on: what is left of the lower deadline.
      deadlineMs: leftMs() > 0 ? clock.monotonicMs() + leftMs() : NEVER,
      released: held.released,
      ...(held.timing === undefined ? {} : { timing: held.timing }),
      liveUntilMs: held.liveUntilMs,
      containers: held.containers,
    }),
    memory: () => held,
  };
}
