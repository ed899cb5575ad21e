import { createKeeper, emptyMemory, type Keeper } from '../../src/guard/keeper.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { HostlerError } from '../../src/ports/errors.ts';
import type { Guard, GuardOrder } from '../../src/ports/guard.ts';

/** A guard in this process, with the real one's knowledge and rules; `enforce` is to be called where its own clockwork would. */
export interface FakeGuard {
  /** A new line to it, as each agent has one. */
  open(): Guard;
  readonly keeper: Keeper;
  readonly orders: GuardOrder[];
  /** Ends it; the next `connect` starts another one, which remembers what this one held. */
  die(): void;
  /** While it is set, nothing answers and nothing can be started. */
  isGone: boolean;
  /** Stops what is due, by `stop`. */
  enforce(stop: (instance: string) => void): void;
}

export function createFakeGuard(clock: Clock): FakeGuard {
  let keeper = createKeeper(clock, emptyMemory);
  const lines = new Set<{ isConnected: boolean; lost: (() => void)[] }>();
  const orders: GuardOrder[] = [];

  const fake: FakeGuard = {
    isGone: false,
    orders,
    get keeper() {
      return keeper;
    },
    open() {
      const line = { isConnected: false, lost: [] as (() => void)[] };
      lines.add(line);
      const require = (): void => {
        if (!line.isConnected || fake.isGone)
          throw new HostlerError('Unavailable', 'The guard does not answer');
      };
      return {
        async connect() {
          if (fake.isGone) throw new HostlerError('Unavailable', 'The guard does not answer');
          line.isConnected = true;
          return keeper.report();
        },
        async order(order) {
          require();
          orders.push(order);
          keeper.order(order);
        },
        async mayStart(container) {
          require();
          return keeper.mayStart(container);
        },
        onLost: (run) => void line.lost.push(run),
        close: () => void lines.delete(line),
      };
    },
    die() {
      keeper = createKeeper(clock, keeper.memory());
      for (const line of lines) {
        line.isConnected = false;
        for (const lost of line.lost) lost();
      }
    },
    enforce(stop) {
      for (const { instance } of keeper.due()?.containers ?? []) stop(instance);
    },
  };
  return fake;
}
