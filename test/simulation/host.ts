import { createKeeper, emptyMemory, type Keeper } from '../../src/guard/keeper.ts';
import type { Moment } from '../../src/plan/failover/two-clocks.ts';
import type { GuardOrder } from '../../src/ports/guard.ts';
import type { Endpoint } from './network.ts';
import type { Runtime } from './runtime.ts';
import type { World } from './world.ts';

/** A machine: its two clocks, its daemon (runtime.ts) and its guard, which is the product's own keeper. */
export interface Host {
  monotonicMs(): number;
  now(): Moment;
  /** Calls `run` once so much time has gone by on the monotonic clock; not at all once the power was off. */
  after(delayMs: number, run: () => void): void;
  guard(): Keeper;
  order(order: GuardOrder): void;
  powerOff(): void;
  fallAsleep(): void;
  wake(): void;
  setWallForward(byMs: number): void;
}

/** How often the guard looks at the clock. */
const LOOK_MS = 50;
/** From the end of what the daemon gets to the death of the last process. */
const KILL_MS = 200;
const AFTER_WAKE_MS = 1_500;

export function createHost(world: World, runtime: Runtime, me: Endpoint): Host {
  // Clocks drift by up to 1 %, and begin anywhere.
  const rate = world.between(0.99, 1.01);
  const offset = world.between(0, 1_000_000);
  let wallOffset = world.between(0, 1_000_000_000);
  let asleepAt: number | undefined;
  let sleptMs = 0;
  let boot = 0;
  let wakes = 0;
  let sleepers: (() => void)[] = [];
  let isWatching = false;

  const monotonicMs = (): number => ((asleepAt ?? world.now) - sleptMs) * rate + offset;
  const wallMs = (): number => world.now * rate + wallOffset;
  const clock = {
    nowMs: wallMs,
    monotonicMs,
    schedule: (): never => {
      throw new Error('the guard of the simulation sets no timers');
    },
  };
  let keeper = createKeeper(clock, emptyMemory);

  const after = (delayMs: number, run: () => void): void => {
    const born = boot;
    let slept = sleptMs;
    let dueMs = world.now + Math.max(0, delayMs) / rate;
    const fire = (): void => {
      if (born !== boot) return;
      if (asleepAt !== undefined) return void sleepers.push(fire);
      dueMs += sleptMs - slept;
      slept = sleptMs;
      if (dueMs > world.now) world.at(dueMs, fire);
      else run();
    };
    world.at(dueMs, fire);
  };

  const enforce = (): void => {
    const due = keeper.due();
    if (due !== undefined) runtime.stopAll(me.name, { why: 'guard', withinMs: due.daemonMs + KILL_MS });
  };
  /** One look at the deadline is planned at a time; it may have moved on by then. */
  const watch = (): void => {
    if (isWatching) return;
    const untilMs = keeper.report().deadlineMs;
    if (!Number.isFinite(untilMs)) return;
    isWatching = true;
    after(untilMs - monotonicMs() + world.random() * LOOK_MS, () => {
      isWatching = false;
      enforce();
      watch();
    });
  };
  /** What the wall clock says may be another thing now. */
  const lookSoon = (): void =>
    after(world.random() * LOOK_MS, () => {
      enforce();
      if (keeper.due() === undefined) runtime.settle(me.name, true);
      isWatching = false;
      watch();
    });

  return {
    monotonicMs,
    after,
    now: () => ({ monotonicMs: monotonicMs(), wallMs: wallMs() }),
    guard: () => keeper,
    order(order) {
      keeper.order(order);
      if (keeper.due() === undefined) watch();
      else after(world.random() * LOOK_MS, enforce);
    },
    powerOff() {
      boot++;
      asleepAt = undefined;
      sleepers = [];
      isWatching = false;
      keeper = createKeeper(clock, emptyMemory);
      runtime.lose(me.name);
    },
    fallAsleep() {
      if (asleepAt !== undefined) return;
      asleepAt = world.now;
      runtime.sleep(me.name);
    },
    wake() {
      if (asleepAt === undefined) return;
      sleptMs += world.now - asleepAt;
      asleepAt = undefined;
      runtime.wake(me.name, keeper.due() !== undefined);
      lookSoon();
      const woken = ++wakes;
      after(AFTER_WAKE_MS, () => {
        if (woken === wakes) runtime.settle(me.name, false);
      });
      const fires = sleepers;
      sleepers = [];
      for (const fire of fires) fire();
    },
    setWallForward(byMs) {
      wallOffset += byMs;
      lookSoon();
    },
  };
}
