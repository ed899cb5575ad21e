import type { LeaderActor } from './leader-actor.ts';
import { affectLinks, type Network } from './network.ts';
import type { NodeActor } from './node.ts';
import { withWord } from './objects.ts';
import type { Fault } from './schedule.ts';
import type { Store } from './store.ts';
import type { World } from './world.ts';

/** Everything that a fault can be done to. */
export interface Stage {
  world: World;
  network: Network;
  store: Store;
  nodes: ReadonlyMap<string, NodeActor>;
  leaders: ReadonlyMap<string, LeaderActor>;
}

const DELETE_LOOK_MS = 500;
/** What begins, and does not end. */
const MOMENTS: ReadonlySet<Fault['kind']> = new Set(['leave', 'join', 'wallForward', 'retime']);

/** Plans the beginning and the end of a fault. */
export function planFault(stage: Stage, fault: Fault): void {
  const { world, network } = stage;
  const text = describe(fault);
  const endpoint = 'who' in fault ? network.endpoint(fault.who) : undefined;
  world.at(fault.from, () => {
    world.log('FAULT', MOMENTS.has(fault.kind) ? text : `${text} begins`);
    affectLinks(network, fault, 1);
    begin(stage, fault);
  });
  world.at(fault.until, () => {
    if (MOMENTS.has(fault.kind)) return;
    world.log('FAULT', `${text} ends`);
    affectLinks(network, fault, -1);
    end(stage, fault);
    if (endpoint !== undefined) network.resume(endpoint);
    else for (const one of everyone(stage)) network.resume(one);
  });
}

function* everyone({ nodes, leaders }: Stage) {
  for (const { endpoint } of nodes.values()) yield endpoint;
  for (const { endpoint } of leaders.values()) yield endpoint;
}

function describe(fault: Fault): string {
  const who = 'who' in fault ? ` ${fault.who}` : '';
  if ('direction' in fault) return `${fault.kind}${who} (${fault.direction})`;
  if ('stream' in fault) return `${fault.kind}${who} of ${fault.stream}`;
  if ('timing' in fault) return `${fault.kind}${who} to ${fault.timing}`;
  return `${fault.kind}${who}`;
}

function begin(stage: Stage, fault: Fault): void {
  const { world, nodes, leaders } = stage;
  if (!('who' in fault)) return;
  const node = nodes.get(fault.who);
  switch (fault.kind) {
    case 'kill':
      node?.kill();
      leaders.get(fault.who)?.kill();
      break;
    case 'upgrade':
      node?.handOver();
      break;
    case 'hostDown':
      node?.powerOff();
      if (fault.wordAt !== undefined) world.at(fault.wordAt, () => speak(stage, fault.who));
      break;
    case 'leave':
      node?.powerOff();
      world.at(fault.wordAt, () => speak(stage, fault.who));
      world.at(fault.wordAt, () => deleteOnceSafe(stage, fault.who));
      break;
    case 'join':
      node?.powerOn();
      break;
    case 'suspend':
      node?.sleep();
      break;
    case 'retime':
      node?.want(fault.timing);
      break;
    case 'wallForward':
      node?.setWallForward();
      break;
    default:
  }
}

function end({ nodes, leaders }: Stage, fault: Fault): void {
  if (!('who' in fault)) return;
  const node = nodes.get(fault.who);
  switch (fault.kind) {
    case 'kill':
      node?.restart();
      leaders.get(fault.who)?.restart();
      break;
    case 'upgrade':
      node?.restart();
      break;
    case 'hostDown':
      node?.powerOn();
      break;
    case 'suspend':
      node?.wake();
      break;
    default:
  }
}

/** An operator says that a host is off: only while it is. */
function speak({ world, store, nodes }: Stage, who: string): void {
  const { node, revision } = store.node(who);
  if (node === undefined || nodes.get(who)?.isOff() !== true) return;
  world.log('OPERATOR', `says that ${who} is off`);
  store.writeNode(who, revision, withWord(node, 'operator'));
}

/** An operator deletes the Node of a host that is gone, once its lease was taken and nothing is placed there. */
function deleteOnceSafe(stage: Stage, who: string): void {
  const { world, store } = stage;
  const { node, revision } = store.node(who);
  if (node === undefined) return;
  const isEmpty = [...store.containers.values()].every(({ nodeName }) => nodeName !== who);
  if (isEmpty && store.lease(who).holder === '') {
    world.log('OPERATOR', `deletes Node ${who}`);
    store.writeNode(who, revision, undefined);
  } else world.at(world.now + DELETE_LOOK_MS, () => deleteOnceSafe(stage, who));
}
