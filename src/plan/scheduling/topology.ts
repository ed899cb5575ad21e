import type { Container } from '../../crds/container.ts';
import type { SchedulingFacts } from './facts.ts';
import { matchesLabels } from './labels.ts';
import type { NodeFacts } from './node-facts.ts';

/** How many containers that matter to one rule sit in each domain (value of `topologyKey`). */
export interface Domains {
  readonly topologyKey: string;
  readonly counts: ReadonlyMap<string, number>;
}

export interface SpreadRule extends Domains {
  readonly maxSkew: number;
  /** Whether the container counts itself where it goes. */
  readonly self: 0 | 1;
}

/** The rules about the neighbours of one container, with the neighbours counted. */
export interface TopologyRules {
  /** Required, its own and those of the containers that are placed already. */
  readonly keptApart: readonly Domains[];
  readonly preferredApart: readonly Domains[];
  readonly spread: readonly SpreadRule[];
  readonly preferredSpread: readonly SpreadRule[];
}

export function topologyRulesOf(container: Container, facts: SchedulingFacts): TopologyRules {
  const { namespace = '', labels = {} } = container.metadata;
  const { antiAffinity = [], spread = [] } = container.spec.placement ?? {};
  const domains = (topologyKey: string, byNode: ReadonlyMap<string, number>): Domains => ({
    topologyKey,
    counts: countByDomain(facts, topologyKey, byNode),
  });
  const apart = (mode: 'Required' | 'Preferred'): Domains[] =>
    antiAffinity
      .filter((term) => (term.mode ?? 'Required') === mode)
      .map((term) => domains(term.topologyKey, facts.usage.countMatching(namespace, term.matchLabels)));
  const spreads = (mode: 'Required' | 'Preferred'): SpreadRule[] =>
    spread
      .filter((rule) => (rule.mode ?? 'Required') === mode)
      .map((rule) => {
        const matchLabels = rule.matchLabels ?? labels;
        return {
          ...domains(rule.topologyKey, facts.usage.countMatching(namespace, matchLabels)),
          maxSkew: rule.maxSkew ?? 1,
          self: matchesLabels(labels, matchLabels) ? 1 : 0,
        };
      });
  const repelled = facts.usage
    .repulsionOf(namespace, labels)
    .map(({ topologyKey, byNode }) => domains(topologyKey, byNode));
  return {
    keptApart: [...apart('Required'), ...repelled],
    preferredApart: apart('Preferred'),
    spread: spreads('Required'),
    preferredSpread: spreads('Preferred'),
  };
}

/** How many are in the domain of `node`; 0 when the node is in none. */
export function countAt({ topologyKey, counts }: Domains, node: NodeFacts): number {
  const domain = node.labels[topologyKey];
  return domain === undefined ? 0 : (counts.get(domain) ?? 0);
}

/** The fewest in any domain that has one of `nodes`; 0 when there is none. */
export function fewest({ topologyKey, counts }: Domains, nodes: Iterable<NodeFacts>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const node of nodes) {
    const domain = node.labels[topologyKey];
    if (domain !== undefined) least = Math.min(least, counts.get(domain) ?? 0);
  }
  return least === Number.POSITIVE_INFINITY ? 0 : least;
}

function countByDomain(
  facts: SchedulingFacts,
  topologyKey: string,
  byNode: ReadonlyMap<string, number>,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [name, count] of byNode) {
    const domain = facts.nodes.get(name)?.labels[topologyKey];
    if (domain !== undefined) counts.set(domain, (counts.get(domain) ?? 0) + count);
  }
  return counts;
}
