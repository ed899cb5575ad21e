import { createWorld } from './world.ts';

/** One thing that goes wrong, from `from` to `until` (milliseconds of true time). */
export type Fault = { from: number; until: number } & (
  | { kind: 'cut'; who: string; direction: 'both' | 'out' | 'in' }
  | { kind: 'cutPeers'; who: string }
  | { kind: 'storeDown' }
  /** Messages are late (also after their time-out), lost or doubled. */
  | { kind: 'slow' }
  /** What a watch tells `who` about `stream` is held back. */
  | { kind: 'lag'; who: string; stream: 'leases' | 'containers' }
  /** SIGSTOP and SIGCONT of an agent or a leader. */
  | { kind: 'pause'; who: string }
  /** SIGKILL of an agent or a leader; started again at `until`. */
  | { kind: 'kill'; who: string }
  /** Power off: the containers end with it. */
  | { kind: 'hostDown'; who: string }
);

export interface Schedule {
  seed: number;
  nodes: number;
  containers: number;
  leaders: number;
  faults: Fault[];
  /** When the last fault has ended, at the latest. */
  calmMs: number;
  endMs: number;
}

export const nodeName = (index: number): string => `node-${index}`;
export const leaderName = (index: number): string => `leader-${index}`;

const FAULTY_MS = 18_000;
const SETTLE_MS = 13_000;

/** A random schedule; the same for the same seed. */
export function drawSchedule(seed: number): Schedule {
  const world = createWorld(seed, false);
  const nodes = 3 + Math.floor(world.random() * world.random() * 5);
  const leaders = 2;
  const faults: Fault[] = [];
  const count = 1 + Math.floor(world.random() * 5);
  for (let index = 0; index < count; index++) faults.push(drawFault(world, nodes, leaders));
  return { seed, nodes, containers: 3, leaders, faults, calmMs: FAULTY_MS, endMs: FAULTY_MS + SETTLE_MS };
}

/** The control plane is away for a long time, and nothing else is wrong. */
export function drawOutage(seed: number): Schedule {
  const world = createWorld(seed, false);
  const from = world.between(2_000, 4_000);
  const faults: Fault[] = [{ kind: 'storeDown', from, until: from + world.between(1_000, 30_000) }];
  if (world.chance(0.5)) {
    const who = nodeName(Math.floor(world.random() * 3));
    const killed = world.between(2_000, 20_000);
    faults.push({ kind: 'kill', who, from: killed, until: killed + world.between(50, 500) });
  }
  return {
    seed,
    nodes: 3 + Math.floor(world.random() * 5),
    containers: 4,
    leaders: 2,
    faults,
    calmMs: 36_000,
    endMs: 48_000,
  };
}

function drawFault(world: ReturnType<typeof createWorld>, nodes: number, leaders: number): Fault {
  const from = world.between(1_000, FAULTY_MS * 0.7);
  const length = world.chance(0.5) ? world.between(200, 3_000) : world.between(6_000, 16_000);
  const span = { from, until: Math.min(from + length, FAULTY_MS) };
  const node = nodeName(Math.floor(world.random() * nodes));
  const anyone = world.chance(0.3) ? leaderName(Math.floor(world.random() * leaders)) : node;
  const draw = world.random();
  if (draw < 0.3) {
    const direction = world.chance(0.6) ? 'both' : world.chance(0.5) ? 'out' : 'in';
    return { ...span, kind: 'cut', who: anyone, direction };
  }
  if (draw < 0.37) return { ...span, kind: 'cutPeers', who: node };
  if (draw < 0.46) return { ...span, kind: 'storeDown' };
  if (draw < 0.58) return { ...span, kind: 'slow' };
  if (draw < 0.68)
    return { ...span, kind: 'lag', who: anyone, stream: world.chance(0.5) ? 'leases' : 'containers' };
  if (draw < 0.82) return { ...span, kind: 'pause', who: anyone };
  if (draw < 0.92) return { ...span, kind: 'kill', who: anyone };
  return { ...span, kind: 'hostDown', who: node };
}
