import type { FailoverTiming } from '../../src/plan/failover/timing.ts';
import { drawFamily, FAMILIES } from './families.ts';
import {
  type Fault,
  leaderName,
  nodeName,
  type NodePlan,
  type Schedule,
  STREAMS,
  type TimingName,
  timings,
} from './schedule.ts';
import { createWorld, type World } from './world.ts';

/** Faults of random schedules begin in the first part of this, and end by its end. */
const FAULTY_MS = 18_000;
/** How long a cluster may take to get well again. */
const SETTLE_MS = 30_000;
const CONTAINERS = 3;
export const LEADERS = 2;

/** Every so many seeds one is a schedule of some family (families.ts), or an outage; the others are entirely random. */
export const TURNS = 16;

/** A random schedule; the same for the same seed. */
export function drawSchedule(seed: number): Schedule {
  const world = createWorld(seed, false);
  const turn = seed % TURNS;
  if (turn === 0) return drawOutage(seed, world);
  const family = turn <= FAMILIES ? drawFamily(turn - 1, world) : undefined;
  if (family !== undefined) return finish(seed, family.plans, family.nodes, family.faults);
  const nodes = 3 + Math.floor(world.random() * world.random() * 5);
  const joining = nodes < 7 && world.chance(0.12) ? 1 + Math.floor(world.random() * 2) : 0;
  const plans = drawPlans(world, Math.min(7, nodes + joining));
  const faults: Fault[] = [];
  const count = 1 + Math.floor(world.random() * 5);
  for (let index = 0; index < count; index++) faults.push(drawFault(world, nodes));
  for (let index = nodes; index < plans.length; index++) {
    const from = world.between(1_000, 9_000);
    faults.push({ kind: 'join', who: nodeName(index), from, until: from });
  }
  if (nodes > 3 && world.chance(0.06)) faults.push(drawLeave(world, nodes));
  return finish(seed, plans, nodes, faults);
}

function finish(seed: number, plans: NodePlan[], nodes: number, faults: Fault[]): Schedule {
  let calmMs = 0;
  for (const fault of faults) {
    calmMs = Math.max(calmMs, fault.until, fault.kind === 'leave' ? fault.wordAt : 0);
  }
  const endMs = calmMs + SETTLE_MS;
  return {
    seed,
    plans,
    nodes,
    containers: CONTAINERS,
    leaders: LEADERS,
    faults,
    calmMs,
    endMs,
    isOutage: false,
  };
}

/** The control plane is away for a long time, and nothing else is wrong. */
export function drawOutage(seed: number, world = createWorld(seed, false)): Schedule {
  const from = world.between(2_000, 4_000);
  const until = from + world.between(1_000, 30_000);
  const nodes = 3 + Math.floor(world.random() * 5);
  // Nodes whose timings differ need not find each other cut off in time (docs/design/0003, Timing).
  const timing = drawTiming(world);
  const faults: Fault[] = [{ kind: 'storeDown', from, until }];
  if (world.chance(0.5)) {
    const who = nodeName(Math.floor(world.random() * nodes));
    const killed = killedAt(world.between(2_000, 20_000), from, timings[timing]);
    faults.push({ kind: 'kill', who, from: killed, until: killed + world.between(50, LONGEST_KILL_MS) });
  }
  const plans = Array.from({ length: nodes }, () => ({ timing, hasDevice: world.chance(0.4) }));
  return { ...finish(seed, plans, nodes, faults), containers: 4, isOutage: true };
}

const LONGEST_KILL_MS = 500;
/** A new agent reads its lease and renews it. */
const RENEWED_MS = 100;

/**
 * An agent that dies between its last renewal and the begin of the outage, or when it should ask its peers for the first time, misses what
 * it has no second time for (docs/design/0003, Timing): it dies a little later.
 */
function killedAt(atMs: number, outageMs: number, { renewMs, durationMs }: FailoverTiming): number {
  const missesRenewal = atMs > outageMs - LONGEST_KILL_MS - RENEWED_MS && atMs < outageMs;
  const missesQuestion = atMs > outageMs + 3 * renewMs - LONGEST_KILL_MS && atMs < outageMs + durationMs;
  return missesRenewal || missesQuestion ? atMs + durationMs + LONGEST_KILL_MS + RENEWED_MS : atMs;
}

/** One timing for all, or each its own. */
function drawPlans(world: World, count: number): NodePlan[] {
  const shared = world.chance(0.6) ? (world.chance(0.7) ? 'default' : drawTiming(world)) : undefined;
  return Array.from({ length: count }, () => ({
    timing: shared ?? drawTiming(world),
    hasDevice: world.chance(0.4),
  }));
}

function drawTiming(world: World): TimingName {
  const chosen = world.random();
  return chosen < 0.4 ? 'default' : chosen < 0.7 ? 'brisk' : 'calm';
}

function drawLeave(world: World, nodes: number): Fault {
  const from = world.between(1_000, 8_000);
  const who = nodeName(Math.floor(world.random() * nodes));
  return { kind: 'leave', who, from, until: from, wordAt: from + world.between(100, 4_000) };
}

function drawFault(world: World, nodes: number): Fault {
  const from = world.between(1_000, FAULTY_MS * 0.7);
  const length = world.chance(0.5) ? world.between(200, 3_000) : world.between(6_000, 16_000);
  const until = Math.min(from + length, FAULTY_MS);
  const span = { from, until };
  const node = nodeName(Math.floor(world.random() * nodes));
  const anyone = world.chance(0.3) ? leaderName(Math.floor(world.random() * LEADERS)) : node;
  const draw = world.random();
  if (draw < 0.26) {
    const direction = world.chance(0.6) ? 'both' : world.chance(0.5) ? 'out' : 'in';
    return { ...span, kind: 'cut', who: anyone, direction };
  }
  if (draw < 0.32) return { ...span, kind: 'cutPeers', who: node };
  if (draw < 0.4) return { ...span, kind: 'storeDown' };
  if (draw < 0.47) return { ...span, kind: 'slow' };
  if (draw < 0.5) return { ...span, kind: 'hold', who: anyone };
  if (draw < 0.6) {
    const stream = STREAMS[Math.floor(world.random() * STREAMS.length)] ?? 'leases';
    return { ...span, kind: world.chance(0.7) ? 'lag' : 'trail', who: anyone, stream };
  }
  if (draw < 0.7) return { ...span, kind: 'pause', who: anyone };
  if (draw < 0.78) return { ...span, kind: 'kill', who: anyone };
  if (draw < 0.83) return { ...span, kind: 'upgrade', who: node };
  if (draw < 0.9) return { ...span, kind: 'suspend', who: node };
  if (draw < 0.92) return { from, until: from, kind: 'wallForward', who: node };
  if (draw < 0.95) return { from, until: from, kind: 'retime', who: node, timing: drawTiming(world) };
  const word = world.chance(0.4) ? { wordAt: world.between(from, until) } : {};
  return { ...span, kind: 'hostDown', who: node, ...word };
}
