import type { Container } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import { planPlacement } from '../scheduling/placement.ts';
import {
  type Admission,
  createSchedulingFacts,
  type ObservedObjects,
  type SchedulingFacts,
} from '../scheduling/facts.ts';
import type { ActiveMoves } from './moves.ts';

/**
 * Where containers that move would find room. What moves takes room on both of its nodes; a container that is asked about
 * does not stand in its own way. Made anew for each round of decisions, whose outcomes it counts.
 */
export interface Room {
  readonly facts: SchedulingFacts;
  /** @param pin the only node that will do; default: the best one other than where it is */
  find(container: Container, pin?: string): Found;
  /** Counts it on `target` from now on, and where it is as well. */
  take(container: Container, target: string): void;
}

export type Found =
  | { fits: true; node: string }
  /** `isPassing`: only because too many are on their way there. */
  | { fits: false; isPassing: boolean; message: string };

/** As no Container can be named: what it takes on the target while it is still on the source. */
const GHOST = '~';

/**
 * @param lasting why nothing may be placed on a node, beside what the node says of itself: its lease is not fresh
 * @param mayEnter whether one more may be on its way to a node
 */
export function createRoom(
  observed: ObservedObjects & { containers: Iterable<Container> },
  moves: ActiveMoves,
  { lasting, mayEnter }: { lasting: Admission; mayEnter: (node: string) => boolean },
): Room {
  const containers = [...observed.containers].map((one) => settled(one, one.status?.nodeName));
  const facts = createSchedulingFacts({ ...observed, containers }, lasting);
  const ghost = (container: Container, target: string): void =>
    facts.setContainer({
      ...settled(container, target),
      metadata: { ...container.metadata, name: `${container.metadata.name}${GHOST}` },
    });
  for (const container of containers) {
    const { nodeName } = container.status ?? {};
    const { source, target } = moves.get(keyOf(container)) ?? {};
    const other = nodeName === target ? source : target;
    if (other !== undefined) ghost(container, other);
  }
  const ask = (container: Container, pin: string | undefined, heedsLimits: boolean) =>
    planPlacement(container, facts, (node) => {
      if (node === container.status?.nodeName) return 'where it is now';
      if (pin !== undefined && node !== pin) return `not ${pin}`;
      return heedsLimits && !mayEnter(node) ? 'that take in as many as they may' : undefined;
    });
  return {
    facts,
    find(container, pin) {
      facts.removeContainer(keyOf(container));
      try {
        const now = ask(container, pin, true);
        if (now.fits) return { fits: true, node: now.node };
        const later = ask(container, pin, false);
        return { fits: false, isPassing: later.fits, message: later.fits ? now.message : later.message };
      } finally {
        facts.setContainer(settled(container, container.status?.nodeName));
      }
    },
    take: ghost,
  };
}

/** As if nothing moved it: what it takes on its other node is counted here, by the ghost. */
function settled(container: Container, node: string | undefined): Container {
  if (container.status?.migration === undefined && container.status?.nodeName === node) return container;
  const { migration: _migration, nodeName: _nodeName, ...status } = container.status ?? {};
  return { ...container, status: node === undefined ? status : { ...status, nodeName: node } };
}
