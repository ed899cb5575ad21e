import type { Container } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import type { ActiveMoves } from '../relocation/moves.ts';
import type { NodeFacts } from '../scheduling/node-facts.ts';
import { requestsOf } from '../scheduling/requests.ts';

/** What a container weighs: what it asks for, and a little where it asks for nothing. */
export interface Weight {
  milliCpu: number;
  memoryBytes: number;
}

const LEAST: Weight = { milliCpu: 100, memoryBytes: 128 * 2 ** 20 };

export function weightOf(container: Container): Weight {
  const { milliCpu, memoryBytes } = requestsOf(container);
  return {
    milliCpu: Math.max(milliCpu, LEAST.milliCpu),
    memoryBytes: Math.max(memoryBytes, LEAST.memoryBytes),
  };
}

/** How full hosts are, with what moves counted where it goes. */
export interface Loads {
  /** 1: as much is asked for as there is. */
  of(node: string): number;
  /** How full it would be with `weight` more, or less: `by` is 1 or -1. */
  after(node: string, weight: Weight, by: 1 | -1): number;
  move(weight: Weight, from: string, to: string): void;
}

export function createLoads(
  nodes: ReadonlyMap<string, NodeFacts>,
  containers: Iterable<Container>,
  moves: ActiveMoves,
): Loads {
  const sums = new Map<string, Weight>();
  const add = (node: string, { milliCpu, memoryBytes }: Weight, by: 1 | -1): void => {
    const sum = sums.get(node) ?? { milliCpu: 0, memoryBytes: 0 };
    sums.set(node, {
      milliCpu: sum.milliCpu + by * milliCpu,
      memoryBytes: sum.memoryBytes + by * memoryBytes,
    });
  };
  for (const container of containers) {
    const node = moves.get(keyOf(container))?.target ?? container.status?.nodeName;
    if (node) add(node, weightOf(container), 1);
  }
  const share = (node: string, { milliCpu, memoryBytes }: Weight): number => {
    const total = nodes.get(node);
    return Math.max(part(milliCpu, total?.milliCpu), part(memoryBytes, total?.memoryBytes));
  };
  const sumOf = (node: string): Weight => sums.get(node) ?? { milliCpu: 0, memoryBytes: 0 };
  return {
    of: (node) => share(node, sumOf(node)),
    after(node, weight, by) {
      const { milliCpu, memoryBytes } = sumOf(node);
      return share(node, {
        milliCpu: milliCpu + by * weight.milliCpu,
        memoryBytes: memoryBytes + by * weight.memoryBytes,
      });
    },
    move(weight, from, to) {
      add(from, weight, -1);
      add(to, weight, 1);
    },
  };
}

function part(used: number, total: number | undefined): number {
  if (used <= 0) return 0;
  return total === undefined || total <= 0 ? Number.POSITIVE_INFINITY : used / total;
}
