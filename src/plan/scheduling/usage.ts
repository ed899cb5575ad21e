import type { AntiAffinity, Container } from '../../crds/container.ts';
import { labelsKey, type MatchLabels, matchesLabels } from './labels.ts';
import { type Requests, requestsOf, rootPoolOf } from './requests.ts';

/** What the placed containers take up, kept per node by name, so that a Node object may come and go. */
export interface Usage {
  on(node: string): NodeUsage;
  add(placed: Placed): void;
  remove(placed: Placed): void;
  /** How many placed containers of `namespace` have `matchLabels`, by node. */
  countMatching(namespace: string, matchLabels: MatchLabels): ReadonlyMap<string, number>;
  /** How many placed containers are of the kind of `equalsKey`, by node. */
  countEquals(equalsKey: string): ReadonlyMap<string, number>;
  /** The required anti-affinity of placed containers that speaks of a container with `labels` in `namespace`. */
  repulsionOf(namespace: string, labels: MatchLabels): readonly Repulsion[];
}

export interface NodeUsage {
  containers: number;
  milliCpu: number;
  memoryBytes: number;
  diskBytes: Map<string, number>;
}

/** Nodes on which sit containers that keep others away from their domain of `topologyKey`. */
export interface Repulsion {
  readonly topologyKey: string;
  readonly byNode: ReadonlyMap<string, number>;
}

/** What one container adds to the node that it is on. */
export interface Placed {
  readonly node: string;
  readonly namespace: string;
  readonly labels: MatchLabels;
  readonly requests: Requests;
  readonly pool: string;
  readonly equalsKey: string;
  readonly keepsAway: readonly AntiAffinity[];
}

/** @param node where it is, or is going to be */
export function placedOn(container: Container, node: string): Placed {
  const { namespace = '', labels = {} } = container.metadata;
  return {
    node,
    namespace,
    labels,
    requests: requestsOf(container),
    pool: rootPoolOf(container),
    equalsKey: equalsKeyOf(container),
    keepsAway: (container.spec.placement?.antiAffinity ?? []).filter(({ mode }) => mode !== 'Preferred'),
  };
}

/** Equals: the same owner, or, without one, the very same labels in the same namespace. */
export function equalsKeyOf({ metadata }: Pick<Container, 'metadata'>): string {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller === true);
  return owner === undefined ? `${metadata.namespace ?? ''} ${labelsKey(metadata.labels)}` : owner.uid;
}

interface Counter {
  readonly namespace: string;
  readonly matchLabels: MatchLabels;
  readonly byNode: Map<string, number>;
}

/** Counters are made at the first question and kept up to date from then on; beyond this many all are forgotten. */
const MAX_COUNTERS = 500;

export function createUsage(): Usage {
  const nodes = new Map<string, NodeUsage>();
  const byEquals = new Map<string, Map<string, number>>();
  const repulsions = new Map<string, Counter & Repulsion>();
  const counters = new Map<string, Counter>();
  const all = new Set<Placed>();

  const on = (node: string): NodeUsage => {
    let usage = nodes.get(node);
    if (usage === undefined) {
      usage = { containers: 0, milliCpu: 0, memoryBytes: 0, diskBytes: new Map() };
      nodes.set(node, usage);
    }
    return usage;
  };

  const apply = (placed: Placed, by: 1 | -1): void => {
    const usage = on(placed.node);
    usage.containers += by;
    usage.milliCpu += by * placed.requests.milliCpu;
    usage.memoryBytes += by * placed.requests.memoryBytes;
    bump(usage.diskBytes, placed.pool, by * placed.requests.diskBytes);
    bump(nested(byEquals, placed.equalsKey), placed.node, by);
    if (byEquals.get(placed.equalsKey)?.size === 0) byEquals.delete(placed.equalsKey);
    for (const term of placed.keepsAway) {
      const key = `${placed.namespace} ${term.topologyKey} ${labelsKey(term.matchLabels)}`;
      const repulsion = repulsions.get(key) ?? {
        ...term,
        namespace: placed.namespace,
        byNode: new Map<string, number>(),
      };
      bump(repulsion.byNode, placed.node, by);
      if (repulsion.byNode.size === 0) repulsions.delete(key);
      else repulsions.set(key, repulsion);
    }
    for (const counter of counters.values()) {
      if (isCounted(counter, placed)) bump(counter.byNode, placed.node, by);
    }
    if (usage.containers === 0) nodes.delete(placed.node);
  };

  return {
    on: (node) => nodes.get(node) ?? NOTHING,
    add(placed) {
      all.add(placed);
      apply(placed, 1);
    },
    remove(placed) {
      if (all.delete(placed)) apply(placed, -1);
    },
    countMatching(namespace, matchLabels) {
      const key = `${namespace} ${labelsKey(matchLabels)}`;
      const known = counters.get(key);
      if (known !== undefined) return known.byNode;
      if (counters.size >= MAX_COUNTERS) counters.clear();
      const counter: Counter = { namespace, matchLabels, byNode: new Map() };
      for (const placed of all) if (isCounted(counter, placed)) bump(counter.byNode, placed.node, 1);
      counters.set(key, counter);
      return counter.byNode;
    },
    countEquals: (equalsKey) => byEquals.get(equalsKey) ?? NONE,
    repulsionOf: (namespace, labels) =>
      [...repulsions.values()].filter(
        (repulsion) => repulsion.namespace === namespace && matchesLabels(labels, repulsion.matchLabels),
      ),
  };
}

const NONE: ReadonlyMap<string, number> = new Map();
const NOTHING: NodeUsage = Object.freeze({
  containers: 0,
  milliCpu: 0,
  memoryBytes: 0,
  diskBytes: new Map(),
});

function isCounted(counter: Counter, placed: Placed): boolean {
  return counter.namespace === placed.namespace && matchesLabels(placed.labels, counter.matchLabels);
}

function bump(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}

function nested(maps: Map<string, Map<string, number>>, key: string): Map<string, number> {
  const map = maps.get(key) ?? new Map<string, number>();
  maps.set(key, map);
  return map;
}
