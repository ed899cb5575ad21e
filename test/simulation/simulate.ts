/**
 * Runs one schedule on the real state machines of src/plan/failover and says which promises were broken. The world around
 * them (network, clocks, daemons, store) is the simulation's; the decisions are the product's own code.
 */
import { defaultTiming } from '../../src/plan/failover/timing.ts';
import { createLeaderActor } from './leader-actor.ts';
import { createNetwork } from './network.ts';
import { type Breakage, createNodeActor, type NodeActor } from './node-actor.ts';
import { createRuntime } from './runtime.ts';
import { leaderName, nodeName, type Schedule } from './schedule.ts';
import { createStore } from './store.ts';
import { createWorld } from './world.ts';

export interface Outcome {
  /** Empty when all promises were kept. */
  violations: string[];
  /** How often a container was stopped by a guard or an agent. */
  stops: number;
  /** How often a container was placed on another node. */
  moves: number;
  trace: readonly string[];
}

export function simulate(
  schedule: Schedule,
  options: { trace?: boolean; breakage?: Breakage } = {},
): Outcome {
  const world = createWorld(schedule.seed ^ 0x5eed, options.trace ?? false);
  const breakage = options.breakage ?? {};
  const network = createNetwork(world, schedule);
  const store = createStore(world, network);
  const runtime = createRuntime(world);
  const members = Array.from({ length: schedule.nodes }, (_, index) => nodeName(index));
  const common = { world, network, store, timing: defaultTiming, breakage, members };

  for (const node of members) store.writeLease(node, 0, { holder: node, term: 1 });
  for (let index = 0; index < schedule.containers; index++) {
    store.writeContainer(`c${index}`, 0, {
      nodeName: members[index % members.length] as string,
      term: 1,
      epoch: 1,
    });
  }
  const nodes: NodeActor[] = [];
  for (const name of members) nodes.push(createNodeActor({ ...common, name, peers: () => nodes, runtime }));
  for (let index = 0; index < schedule.leaders; index++)
    createLeaderActor({ ...common, name: leaderName(index) });
  for (const fault of schedule.faults) {
    const who = 'who' in fault ? ` ${fault.who}` : '';
    const what =
      'direction' in fault ? ` (${fault.direction})` : 'stream' in fault ? ` of ${fault.stream}` : '';
    world.at(fault.from, () => world.log('FAULT', `${fault.kind}${who}${what} begins`));
    world.at(fault.until, () => world.log('FAULT', `${fault.kind}${who}${what} ends`));
  }

  world.runUntil(schedule.endMs);
  const violations = [...runtime.violations];
  let moves = 0;
  for (const [key, container] of store.containers) {
    moves += container.epoch - 1;
    const on = runtime.runningOn(key);
    if (on.length !== 1 || on[0] !== container.nodeName) {
      violations.push(
        `${key} is placed on ${container.nodeName} and runs on ${on.join(', ') || 'no node'} at the end`,
      );
    }
  }
  return { violations, stops: runtime.stops, moves, trace: world.trace };
}

/** The schedule with as few faults as still break a promise. */
export function shrink(schedule: Schedule, options: { breakage?: Breakage } = {}): Schedule {
  let smallest = schedule;
  for (let index = 0; index < smallest.faults.length;) {
    const without = { ...smallest, faults: smallest.faults.filter((_, other) => other !== index) };
    if (simulate(without, options).violations.length > 0) smallest = without;
    else index++;
  }
  return smallest;
}
