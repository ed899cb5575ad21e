import type { Container } from '../../crds/container.ts';
import type { SchedulingFacts } from './facts.ts';
import type { NodeFacts } from './node-facts.ts';
import type { Requests } from './requests.ts';
import { isTolerated } from './tolerations.ts';
import { countAt, type TopologyRules } from './topology.ts';
import { equalsKeyOf } from './usage.ts';

/** Points of one node, each 0 to 100 before its weight; what the log shows. */
export interface Scores {
  readonly leastAllocated: number;
  readonly equals: number;
  readonly neighbours: number;
  readonly taints: number;
  readonly image: number;
  readonly total: number;
}

/** A wish that a person wrote down outweighs an even spread, and that outweighs free room and an image that is there. */
const WEIGHTS = { leastAllocated: 1, equals: 2, neighbours: 4, taints: 4, image: 1 } as const;

/** A container that asks for nothing still takes something: counted as this much, here alone, never by the filters. */
const TYPICAL = { milliCpu: 100, memoryBytes: 128 * 2 ** 20 } as const;

export interface ScoreQuery {
  readonly container: Container;
  readonly requests: Requests;
  readonly topology: TopologyRules;
}

/** Scores `nodes`, all of which can take the container, against each other. @returns in the order of `nodes` */
export function scoreNodes(query: ScoreQuery, nodes: readonly NodeFacts[], facts: SchedulingFacts): Scores[] {
  const { container, topology } = query;
  const tolerations = container.spec.placement?.tolerations ?? [];
  const equalsByNode = facts.usage.countEquals(equalsKeyOf(container));
  const equals = fewerIsBetter(nodes.map((node) => equalsByNode.get(node.name) ?? 0));
  const neighbours = fewerIsBetter(nodes.map((node) => countNeighbours(topology, node)));
  const taints = fewerIsBetter(
    nodes.map((node) => node.softTaints.filter((taint) => !isTolerated(taint, tolerations)).length),
  );
  return nodes.map((node, index) => {
    const points = {
      leastAllocated: leastAllocated(query.requests, node, facts),
      equals: equals[index] as number,
      neighbours: neighbours[index] as number,
      taints: taints[index] as number,
      image: node.images.has(container.spec.image) ? 100 : 0,
    };
    return { ...points, total: weighted(points) };
  });
}

function weighted(points: Omit<Scores, 'total'>): number {
  let total = 0;
  for (const name of Object.keys(WEIGHTS) as (keyof typeof WEIGHTS)[]) total += WEIGHTS[name] * points[name];
  return total;
}

/** Preferred anti-affinity and preferred spread: containers that this one would rather not be near. */
function countNeighbours({ preferredApart, preferredSpread }: TopologyRules, node: NodeFacts): number {
  let count = 0;
  for (const rule of preferredApart) count += countAt(rule, node);
  for (const rule of preferredSpread) count += countAt(rule, node);
  return count;
}

/** 100 for the fewest, 0 for the most, and 100 for all when they are the same. */
function fewerIsBetter(counts: readonly number[]): number[] {
  let [least, most] = [Number.POSITIVE_INFINITY, 0];
  for (const count of counts) {
    least = Math.min(least, count);
    most = Math.max(most, count);
  }
  return counts.map((count) => (most > least ? Math.round((100 * (most - count)) / (most - least)) : 100));
}

/** Mean of the free shares of cpu and memory once the container is there. */
function leastAllocated(requests: Requests, node: NodeFacts, facts: SchedulingFacts): number {
  const usage = facts.usage.on(node.name);
  const typical = usage.containers + 1;
  const cpu = Math.max(usage.milliCpu + requests.milliCpu, typical * TYPICAL.milliCpu);
  const memory = Math.max(usage.memoryBytes + requests.memoryBytes, typical * TYPICAL.memoryBytes);
  return Math.round((freeShare(cpu, node.milliCpu) + freeShare(memory, node.memoryBytes)) * 50);
}

function freeShare(used: number, total: number): number {
  return total <= 0 ? 0 : Math.max(0, 1 - used / total);
}
