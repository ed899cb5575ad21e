import type { Container } from '../../crds/container.ts';
import type { Node } from '../../crds/node.ts';
import { keyOf } from '../../crds/object.ts';
import type { StoragePool } from '../../crds/storage-pool.ts';
import { otherNodeOf } from '../migration/claim.ts';
import { type NodeFacts, nodeFactsOf } from './node-facts.ts';
import { createUsage, type Placed, placedOn, type Usage } from './usage.ts';

/**
 * What a placement looks at, indexed once and kept up to date: nodes, pools, and what the placed containers take up.
 * A decision that was taken counts at once (`assume`) and goes on counting until the container itself says where it is,
 * so that decisions in a row never promise the same room twice, however late the cache is. Reads and changes are
 * synchronous; the same facts, whatever the order in which they came, give the same decision.
 */
export interface SchedulingFacts {
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  readonly pools: ReadonlyMap<string, StoragePool>;
  readonly usage: Usage;
  readonly admission: Admission;

  setNode(node: Node): void;
  removeNode(name: string): void;
  setPool(pool: StoragePool): void;
  removePool(name: string): void;
  /** A container as the cache has it now, placed or not. */
  setContainer(container: Container): void;
  /** @param key `namespace/name` */
  removeContainer(key: string): void;

  /** Counts `container` on `node` from now on, until setContainer shows it placed, or release, or removeContainer. */
  assume(container: Container, node: string): void;
  /** Takes an assumption back; call it only when it is certain that the placement was not written. */
  release(container: Container): void;
  /** Where an assumed container is going to be; undefined when nothing is assumed. */
  assumedNodeOf(container: Container): string | undefined;
}

export interface ObservedObjects {
  nodes?: Iterable<Node>;
  pools?: Iterable<StoragePool>;
  containers?: Iterable<Container>;
}

interface Entry {
  readonly uid: string | undefined;
  readonly placed: Placed;
  readonly isAssumed: boolean;
  /** Of the container when the decision was taken; 0: it had never been placed. */
  readonly epoch: number;
}

/** @returns why nothing new may be placed on `node` just now, as the condition says it after a count; undefined when it may */
export type Admission = (node: string) => string | undefined;

const admitsAll: Admission = () => undefined;

/** @param admission looked at for each decision, for what changes from one moment to the next */
export function createSchedulingFacts(
  observed: ObservedObjects = {},
  admission: Admission = admitsAll,
): SchedulingFacts {
  const nodes = new Map<string, NodeFacts>();
  const pools = new Map<string, StoragePool>();
  const usage = createUsage();
  const entries = new Map<string, Entry>();

  /** Of those that move: what they take up on the other node. */
  const seconds = new Map<string, Placed>();

  const drop = (key: string): void => {
    const second = seconds.get(key);
    if (second !== undefined) usage.remove(second);
    seconds.delete(key);
    const entry = entries.get(key);
    if (entry === undefined) return;
    usage.remove(entry.placed);
    entries.delete(key);
  };
  const count = (container: Container, node: string, isAssumed: boolean): void => {
    const key = keyOf(container);
    drop(key);
    const placed = placedOn(container, node);
    const epoch = container.status?.epoch ?? 0;
    entries.set(key, { uid: container.metadata.uid, placed, isAssumed, epoch });
    usage.add(placed);
    const other = otherNodeOf(container);
    if (other === undefined || other === node) return;
    const second = placedOn(container, other);
    seconds.set(key, second);
    usage.add(second);
  };
  const assumed = (container: Container): Entry | undefined => {
    const entry = entries.get(keyOf(container));
    return entry?.isAssumed === true && entry.uid === container.metadata.uid ? entry : undefined;
  };

  const facts: SchedulingFacts = {
    nodes,
    pools,
    usage,
    admission,
    setNode: (node) => void nodes.set(node.metadata.name, nodeFactsOf(node)),
    removeNode: (name) => void nodes.delete(name),
    setPool: (pool) => void pools.set(pool.metadata.name, pool),
    removePool: (name) => void pools.delete(name),
    setContainer(container) {
      const nodeName = container.status?.nodeName;
      const entry = assumed(container);
      if (
        entry !== undefined &&
        nodeName !== entry.placed.node &&
        (!isSet(nodeName) || isOlder(container, entry))
      ) {
        count(container, entry.placed.node, true);
        return;
      }
      if (isSet(nodeName)) count(container, nodeName, false);
      else drop(keyOf(container));
    },
    removeContainer: drop,
    assume: (container, node) => count(container, node, true),
    release(container) {
      if (assumed(container) === undefined) return;
      const nodeName = container.status?.nodeName;
      if (isSet(nodeName)) count(container, nodeName, false);
      else drop(keyOf(container));
    },
    assumedNodeOf: (container) => assumed(container)?.placed.node,
  };
  for (const node of observed.nodes ?? []) facts.setNode(node);
  for (const pool of observed.pools ?? []) facts.setPool(pool);
  for (const container of observed.containers ?? []) facts.setContainer(container);
  return facts;
}

function isSet(name: string | undefined): name is string {
  return name !== undefined && name !== '';
}

/** Whether `container` is as it was before the decision to move it. */
function isOlder({ status }: Container, { epoch }: Entry): boolean {
  return epoch > 0 && (status?.epoch ?? 0) <= epoch;
}
