import type { Fault, Schedule } from './schedule.ts';
import type { World } from './world.ts';

export const STORE = 'store';

/** Who is cut off, slow, lagging, paused or dead at a moment, and the messages in between. */
export interface Network {
  /** Delivers once, late, twice, or never. */
  send(from: string, to: string, deliver: () => void): void;
  /** When an event of `stream`, made now, reaches `who`: never before an earlier one of the same stream. */
  watchDelivery(who: string, stream: 'leases' | 'containers'): number;
  /** Runs `run` for `who`, now or when its pause ends. Not at all when `who` was killed in between. */
  whenAwake(who: string, run: () => void): void;
  isActive(kind: Fault['kind'], who?: string): Fault | undefined;
  faultsOf(who: string): readonly Fault[];
}

/** Links that are merely healthy take this long. */
const DELAY_MS = [1, 15] as const;

export function createNetwork(world: World, schedule: Schedule): Network {
  const { faults } = schedule;
  const lastDelivery = new Map<string, number>();

  const isActive = (kind: Fault['kind'], who?: string): Fault | undefined => {
    for (const fault of faults) {
      if (fault.kind !== kind || world.now < fault.from || world.now >= fault.until) continue;
      if (who === undefined || !('who' in fault) || fault.who === who) return fault;
    }
    return undefined;
  };

  const isCut = (from: string, to: string): boolean => {
    if (from === STORE || to === STORE) {
      if (isActive('storeDown') !== undefined) return true;
      const out = from === STORE ? undefined : isActive('cut', from);
      if (out?.kind === 'cut' && out.direction !== 'in') return true;
      const into = to === STORE ? undefined : isActive('cut', to);
      return into?.kind === 'cut' && into.direction !== 'out';
    }
    return [from, to].some(
      (end) => isActive('cutPeers', end) !== undefined || isActive('hostDown', end) !== undefined,
    );
  };

  const whenAwake = (who: string, run: () => void): void => {
    const pause = isActive('pause', who);
    if (pause === undefined) run();
    else world.at(pause.until, () => whenAwake(who, run));
  };

  return {
    isActive,
    whenAwake,
    faultsOf: (who) => faults.filter((fault) => 'who' in fault && fault.who === who),
    send(from, to, deliver) {
      if (isCut(from, to)) return;
      const slow = isActive('slow') !== undefined;
      if (slow && world.chance(0.15)) return;
      const late = slow && world.chance(0.3) ? world.between(100, 9_000) : 0;
      world.at(world.now + world.between(...DELAY_MS) + late, deliver);
      if (slow && world.chance(0.1)) world.at(world.now + world.between(10, 6_000), deliver);
    },
    watchDelivery(who, stream) {
      let at = world.now + world.between(...DELAY_MS);
      for (const fault of faults) {
        const holds =
          fault.kind === 'storeDown' ||
          ((fault.kind === 'cut' || fault.kind === 'hostDown') && fault.who === who) ||
          (fault.kind === 'lag' && fault.who === who && fault.stream === stream);
        if (holds && at >= fault.from && at < fault.until) at = fault.until + world.between(...DELAY_MS);
      }
      const key = `${who} ${stream}`;
      at = Math.max(at, lastDelivery.get(key) ?? 0);
      lastDelivery.set(key, at);
      return at;
    },
  };
}
