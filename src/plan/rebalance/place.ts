import type { Container } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import type { SchedulingFacts } from '../scheduling/facts.ts';
import type { NodeFacts } from '../scheduling/node-facts.ts';
import { isTolerated } from '../scheduling/tolerations.ts';
import { countAt, topologyRulesOf } from '../scheduling/topology.ts';
import { equalsKeyOf } from '../scheduling/usage.ts';

/**
 * Whether a wish that people wrote down, or the spread of equals, would suffer from a move to `target`: for more room alone
 * nothing goes there.
 */
export function isWorsePlace(container: Container, target: string, facts: SchedulingFacts): boolean {
  const from = facts.nodes.get(container.status?.nodeName ?? '');
  const to = facts.nodes.get(target);
  if (from === undefined || to === undefined) return true;
  // Itself does not count, on either of them.
  facts.removeContainer(keyOf(container));
  try {
    return drawbacks(container, to, facts).some(
      (count, index) => count > (drawbacks(container, from, facts)[index] ?? 0),
    );
  } finally {
    facts.setContainer(container);
  }
}

function drawbacks(container: Container, node: NodeFacts, facts: SchedulingFacts): number[] {
  const { preferredApart, preferredSpread } = topologyRulesOf(container, facts);
  const tolerations = container.spec.placement?.tolerations ?? [];
  return [
    sum(preferredApart.map((rule) => countAt(rule, node))),
    sum(preferredSpread.map((rule) => countAt(rule, node))),
    node.softTaints.filter((taint) => !isTolerated(taint, tolerations)).length,
    facts.usage.countEquals(equalsKeyOf(container)).get(node.name) ?? 0,
  ];
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
