import type { ConditionUpdate } from '../../crds/conditions.ts';
import type { Node, NodePool } from '../../crds/node.ts';
import type { StoragePool, StoragePoolNodeState } from '../../crds/storage-pool.ts';

/** A StoragePool as all its nodes and containers show it; pure. */
export interface PoolSummary {
  nodes: Record<string, StoragePoolNodeState>;
  readyNodes: number;
  selectedNodes: number;
  containers: number;
  ready: ConditionUpdate;
}

export interface PoolFacts {
  pool: StoragePool;
  nodes: readonly Node[];
  /** `namespace/name` of the containers whose root is on it, placed or not. */
  containers: readonly string[];
}

/** Names that a message lists at most. */
const MAX_NAMES = 5;

export function summarizePool({ pool, nodes, containers }: PoolFacts): PoolSummary {
  const selected = nodes.filter((node) => isSelected(pool, node)).sort(byName);
  const states = selected.map((node) => [node.metadata.name, stateOn(pool, node)] as const);
  const readyNodes = states.filter(([, { ready }]) => ready).length;
  return {
    nodes: Object.fromEntries(states),
    readyNodes,
    selectedNodes: selected.length,
    containers: containers.length,
    ready: {
      type: 'Ready',
      ...readyOf(states),
      ...(pool.metadata.generation === undefined ? {} : { observedGeneration: pool.metadata.generation }),
    },
  };
}

export function isSelected(pool: StoragePool, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  return Object.entries(pool.spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
}

/** The entry of `node` about this very StoragePool: one of an earlier pool of the same name is none. */
export function entryOf(pool: StoragePool, node: Node): NodePool | undefined {
  const entry = node.status?.pools?.find(({ name }) => name === pool.metadata.name);
  return entry?.poolUid === undefined || entry.poolUid === pool.metadata.uid ? entry : undefined;
}

/** `a, b and 3 more` */
export function listNames(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  return more > 0 ? `${names.slice(0, MAX_NAMES).join(', ')} and ${more} more` : names.join(', ');
}

function stateOn(pool: StoragePool, node: Node): StoragePoolNodeState {
  const entry = entryOf(pool, node);
  const heard = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  const isHeard = heard === 'True' || heard === 'False';
  if (entry === undefined) {
    return isHeard
      ? { ready: false, reason: 'Pending', message: 'The agent has not made it yet' }
      : { ready: false, reason: 'NodeUnreachable', message: 'Nothing is heard of the node' };
  }
  const size = {
    ...(entry.proof === undefined ? {} : { proof: entry.proof }),
    ...(entry.total === undefined ? {} : { total: entry.total }),
    ...(entry.used === undefined ? {} : { used: entry.used }),
  };
  if (!isHeard) {
    return { ready: false, reason: 'NodeUnreachable', message: 'Nothing is heard of the node', ...size };
  }
  return { ready: entry.ready, reason: entry.reason, message: entry.message, ...size };
}

function readyOf(
  states: readonly (readonly [string, StoragePoolNodeState])[],
): Pick<ConditionUpdate, 'status' | 'reason' | 'message'> {
  if (states.length === 0) {
    return { status: 'False', reason: 'NoNodes', message: 'No node is selected' };
  }
  const unready = states.filter(([, { ready }]) => !ready);
  if (unready.length === 0) {
    return { status: 'True', reason: 'Ready', message: `Ready on ${counted(states.length)}` };
  }
  const details = unready.map(
    ([name, { reason, message }]) => `${name}: ${message === '' ? reason : message}`,
  );
  return {
    status: 'False',
    reason: unready.length === states.length ? 'NotReady' : 'PartlyReady',
    message: `Not ready on ${unready.length} of ${counted(states.length)}: ${listNames(details)}`,
  };
}

function counted(nodes: number): string {
  return nodes === 1 ? '1 node' : `${nodes} nodes`;
}

function byName(a: Node, b: Node): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
