import { type Schedule, type Stream, STREAMS } from './schedule.ts';
import type { World } from './world.ts';

/** One that sends and receives, and what is wrong with it now; several faults of a kind may overlap, so they are counted. */
export interface Endpoint {
  readonly name: string;
  cutOut: number;
  cutIn: number;
  cutPeers: number;
  /** What it sends to the store arrives no sooner. */
  heldUntilMs: number;
  killed: number;
  paused: number;
  /** The whole host: without power, or asleep. */
  off: number;
  asleep: number;
  lag: Record<Stream, number>;
  /** Since when a watch falls behind; undefined: it does not. */
  trailsSince: Record<Stream, number | undefined>;
  /** When the last event that a watch was sent arrives. */
  shownMs: Record<Stream, number>;
  /** What waits until it is awake again. */
  waiting: (() => void)[];
  /** What its watches will show it once nothing holds them back. */
  held: Record<Stream, (() => void)[]>;
}

/** Who is cut off, slow, lagging, paused or dead at a moment, and the messages in between. */
export interface Network {
  endpoint(name: string): Endpoint;
  /** Delivers once, late, twice, or never. `undefined` is the store. */
  send(from: Endpoint | undefined, to: Endpoint | undefined, deliver: () => void): void;
  /** Shows `to` an event of `stream`: late perhaps, but never before an earlier one. */
  show(to: Endpoint, stream: Stream, deliver: () => void): void;
  /** Runs `run` for `who`, now or once it is neither frozen nor asleep. */
  whenAwake(who: Endpoint, run: () => void): void;
  /** To be called when something that was wrong with it has ended. */
  resume(who: Endpoint): void;
  storeDown: number;
  slow: number;
  /** When the last message arrives that is late. */
  lastLateMs: number;
}

/** Links that are merely healthy take this long. */
const FAST_MS = 1;
const SPREAD_MS = 14;
/** How much time a watch that falls behind loses of the time that goes by. */
const TRAIL = 0.5;

export function createNetwork(world: World): Network {
  const endpoints = new Map<string, Endpoint>();
  const delay = (): number => FAST_MS + world.random() * SPREAD_MS;

  const isCut = (from: Endpoint | undefined, to: Endpoint | undefined): boolean => {
    if (from === undefined || to === undefined) {
      return (
        network.storeDown > 0 ||
        (from !== undefined && (from.cutOut > 0 || from.off > 0)) ||
        (to !== undefined && (to.cutIn > 0 || to.off > 0))
      );
    }
    return from.cutPeers > 0 || to.cutPeers > 0 || from.off > 0 || to.off > 0;
  };
  const isHeld = (who: Endpoint, stream: Stream): boolean =>
    network.storeDown > 0 ||
    who.cutIn > 0 ||
    who.cutOut > 0 ||
    who.off > 0 ||
    who.asleep > 0 ||
    who.lag[stream] > 0;

  const network: Network = {
    storeDown: 0,
    slow: 0,
    lastLateMs: 0,
    endpoint(name) {
      let found = endpoints.get(name);
      if (found === undefined) endpoints.set(name, (found = newEndpoint(name)));
      return found;
    },
    whenAwake(who, run) {
      if (who.paused > 0 || who.asleep > 0) who.waiting.push(run);
      else run();
    },
    resume(who) {
      if (who.paused === 0 && who.asleep === 0 && who.waiting.length > 0) {
        const waiting = who.waiting;
        who.waiting = [];
        for (const run of waiting) world.at(world.now, () => network.whenAwake(who, run));
      }
      for (const stream of STREAMS) {
        if (who.held[stream].length > 0 && !isHeld(who, stream)) {
          const shown = who.held[stream];
          world.at(world.now + delay(), () => flush(who, stream, shown));
        }
      }
    },
    send(from, to, deliver) {
      if (isCut(from, to)) return;
      if (to === undefined && from !== undefined && from.heldUntilMs > world.now) {
        network.lastLateMs = Math.max(network.lastLateMs, from.heldUntilMs);
        return world.at(from.heldUntilMs + delay(), deliver);
      }
      if (network.slow === 0) return world.at(world.now + delay(), deliver);
      if (world.chance(0.15)) return;
      const lateMs = world.chance(0.3) ? world.between(100, 9_000) : 0;
      const atMs = world.now + delay() + lateMs;
      world.at(atMs, deliver);
      const againMs = world.chance(0.1) ? world.now + world.between(10, 6_000) : 0;
      if (againMs > 0) world.at(againMs, deliver);
      network.lastLateMs = Math.max(network.lastLateMs, atMs, againMs);
    },
    show(to, stream, deliver) {
      const since = to.trailsSince[stream];
      const behindMs = since === undefined ? 0 : (world.now - since) * TRAIL;
      to.shownMs[stream] = Math.max(world.now + delay() + behindMs, to.shownMs[stream]);
      world.at(to.shownMs[stream], () => {
        if (to.held[stream].length > 0 || isHeld(to, stream)) to.held[stream].push(deliver);
        else network.whenAwake(to, deliver);
      });
    },
  };

  const flush = (who: Endpoint, stream: Stream, shown: (() => void)[]): void => {
    if (isHeld(who, stream) || who.held[stream] !== shown) return;
    who.held[stream] = [];
    for (const deliver of shown) network.whenAwake(who, deliver);
  };
  return network;
}

function newEndpoint(name: string): Endpoint {
  return {
    name,
    cutOut: 0,
    cutIn: 0,
    cutPeers: 0,
    heldUntilMs: 0,
    killed: 0,
    paused: 0,
    off: 0,
    asleep: 0,
    lag: { leases: 0, containers: 0, nodes: 0, members: 0 },
    trailsSince: { leases: undefined, containers: undefined, nodes: undefined, members: undefined },
    shownMs: { leases: 0, containers: 0, nodes: 0, members: 0 },
    waiting: [],
    held: { leases: [], containers: [], nodes: [], members: [] },
  };
}

/** What the faults do to the links and the store; what they do to hosts and processes is theirs (faults.ts). */
export function affectLinks(network: Network, fault: Schedule['faults'][number], by: 1 | -1): void {
  switch (fault.kind) {
    case 'storeDown':
      network.storeDown += by;
      break;
    case 'slow':
      network.slow += by;
      break;
    case 'cut':
      if (fault.direction !== 'in') network.endpoint(fault.who).cutOut += by;
      if (fault.direction !== 'out') network.endpoint(fault.who).cutIn += by;
      break;
    case 'cutPeers':
      network.endpoint(fault.who).cutPeers += by;
      break;
    case 'hold': {
      const who = network.endpoint(fault.who);
      who.heldUntilMs = Math.max(who.heldUntilMs, fault.until);
      break;
    }
    case 'lag':
      network.endpoint(fault.who).lag[fault.stream] += by;
      break;
    case 'trail':
      network.endpoint(fault.who).trailsSince[fault.stream] = by === 1 ? fault.from : undefined;
      break;
    case 'pause':
      network.endpoint(fault.who).paused += by;
      break;
    default:
  }
}
