/**
 * Runs one schedule on the real state machines of src/plan/failover and says which promises were broken. The world around
 * them (network, clocks, daemons, store) is the simulation's; the decisions are the product's own code.
 */
import { createDevices } from './device.ts';
import { planFault, type Stage } from './faults.ts';
import { createLeaderActor, type LeaderActor } from './leader-actor.ts';
import { createNetwork } from './network.ts';
import type { NodeActor } from './node.ts';
import { createNodeActor } from './node-actor.ts';
import { newNode } from './objects.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { leaderName, nodeName, type NodePlan, type Schedule, timings } from './schedule.ts';
import { createStore } from './store.ts';
import { createWorld } from './world.ts';

export interface Outcome {
  /** Empty when all promises were kept. */
  violations: string[];
  /** How often a container was stopped by a guard or an agent. */
  stops: number;
  starts: number;
  /** How often a container was placed on another node. */
  moves: number;
  /** When it was over, in milliseconds of true time. */
  endedMs: number;
  trace: readonly string[];
}

/** After the last fault: what is still on its way arrives. */
const QUIET_MS = 2_000;
const LOOK_MS = 500;

export function simulate(schedule: Schedule, options: { trace?: boolean } = {}): Outcome {
  const world = createWorld(schedule.seed ^ 0x5eed, options.trace ?? false);
  const network = createNetwork(world);
  const store = createStore(network);
  const runtime = createRuntime(world);
  const nodes = new Map<string, NodeActor>();
  const leaders = new Map<string, LeaderActor>();
  const stage: Stage = { world, network, store, nodes, leaders };
  const names = schedule.plans.map((_, index) => nodeName(index));
  const members = names.slice(0, schedule.nodes);

  store.writeMembers(0, { version: 1, members });
  for (const [index, name] of members.entries()) {
    const plan = schedule.plans[index] as NodePlan;
    store.writeNode(name, 0, newNode(name, plan));
    store.writeLease(name, 0, { holder: name, term: 1, timing: timings[plan.timing] });
  }
  for (let index = 0; index < schedule.containers; index++) {
    const home = members[index % members.length] as string;
    store.writeContainer(`c${index}`, 0, { nodeName: home, term: 1, epoch: 1 });
  }
  const peer = (name: string): NodeActor | undefined => nodes.get(name);
  for (const [index, name] of names.entries()) {
    const plan = schedule.plans[index] as NodePlan;
    const node = createNodeActor({ name, plan, peer, world, network, store, runtime });
    nodes.set(name, node);
    node.powerOff();
    if (index < schedule.nodes) world.at(0, () => node.powerOn());
  }
  const useDevice = createDevices(world, nodes);
  for (let index = 0; index < schedule.leaders; index++) {
    const name = leaderName(index);
    leaders.set(name, createLeaderActor({ name, world, network, store, useDevice }));
  }
  for (const fault of schedule.faults) planFault(stage, fault);

  world.runUntil(schedule.calmMs + QUIET_MS);
  let open = unsettled(stage, runtime, schedule);
  // Before the last late message has come, nothing is settled; after it, the same state for good.
  while (world.now < schedule.endMs && (open.length > 0 || world.now < network.lastLateMs + LOOK_MS)) {
    world.runUntil(world.now + LOOK_MS);
    open = unsettled(stage, runtime, schedule);
  }
  let moves = 0;
  for (const { epoch } of store.containers.values()) moves += epoch - 1;
  const { stops, starts } = runtime;
  const violations = [...runtime.violations, ...open];
  if (schedule.isOutage && stops + moves > 0)
    violations.push(`an outage alone stopped ${stops} and moved ${moves} containers`);
  return { violations, stops, starts, moves, endedMs: world.now, trace: world.trace };
}

/** What is not yet as it has to be once faults have ended: liveness. */
function unsettled({ store, nodes }: Stage, runtime: Runtime, schedule: Schedule): string[] {
  const open: string[] = [];
  for (const { key, nodeName: home } of store.containers.values()) {
    const on = runtime.runningOn(key);
    if (on.length !== 1 || on[0] !== home)
      open.push(`${key} is placed on ${home} and runs on ${on.join(', ') || 'no node'} at the end`);
  }
  const there: string[] = [];
  for (const node of nodes.values()) {
    if (node.isOff()) continue;
    there.push(node.name);
    if (store.lease(node.name).holder !== node.name) open.push(`${node.name} has no lease at the end`);
    const annotations = store.node(node.name).node?.metadata.annotations ?? {};
    if (Object.keys(annotations).length > 0) open.push(`the word about ${node.name} stands at the end`);
  }
  // In an outage that outlasts the schedule nobody can join.
  const list = store.members().list?.members ?? [];
  if (!schedule.isOutage && list.join() !== there.sort().join())
    open.push(`the members are ${list.join(' ')} at the end, not ${there.join(' ')}`);
  return open;
}

/** The schedule with as few faults as still break a promise. */
export function shrink(schedule: Schedule): Schedule {
  let smallest = schedule;
  for (let index = 0; index < smallest.faults.length;) {
    const without = { ...smallest, faults: smallest.faults.filter((_, other) => other !== index) };
    if (simulate(without).violations.length > 0) smallest = without;
    else index++;
  }
  return smallest;
}
