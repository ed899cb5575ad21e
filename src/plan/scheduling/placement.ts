import type { Container } from '../../crds/container.ts';
import { poolsOf } from '../storage/container-folders.ts';
import type { SchedulingFacts } from './facts.ts';
import { nodeFilters, type Query, roomFilters, spreadFault } from './filters.ts';
import type { NodeFacts } from './node-facts.ts';
import { requestsOf, rootPoolOf } from './requests.ts';
import { type Scores, scoreNodes } from './scores.ts';
import { fewest, topologyRulesOf } from './topology.ts';

/**
 * Where a container goes: nodes that cannot take it are filtered out, the rest are scored against each other, and the
 * best one is taken. Pure and deterministic: equal facts give the equal answer, ties are broken by a stable hash that differs
 * from container to container. Capacity is never exceeded by requests, and a node that is added never makes a container
 * unplaceable that could be placed, with one exception that lies in the rule itself: a required spread, whose emptiest
 * domain the new node may be.
 */
export type Decision =
  | { fits: true; node: string; scores: Scores; candidates: number }
  | { fits: false; refusals: readonly Refusal[]; message: string };

/** How many nodes were refused for one reason. Each node counts once, under the first filter that refused it. */
export interface Refusal {
  readonly reason: string;
  readonly nodes: number;
}

/** At most so many reasons are spelled out in a message. */
const MAX_REASONS = 10;

/** @returns why a node that could take the container is not to have it; undefined when it may */
export type Restriction = (node: string) => string | undefined;

/**
 * Decides for one container. The facts are not changed: a caller that goes by the decision calls `facts.assume`.
 * @param container not placed yet
 * @param restriction nodes that it forbids still count for what a required spread is judged by
 */
export function planPlacement(
  container: Container,
  facts: SchedulingFacts,
  restriction: Restriction = () => undefined,
): Decision {
  const query = queryOf(container, facts);
  const refused = new Map<string, number>();
  const refuse = (reason: string): void => void refused.set(reason, (refused.get(reason) ?? 0) + 1);

  const eligible: NodeFacts[] = [];
  for (const node of facts.nodes.values()) {
    const reason = firstFault(nodeFilters, query, node);
    if (reason === undefined) eligible.push(node);
    else refuse(reason);
  }
  // A required spread is judged over the domains of nodes that could take the container but for what is on them: a
  // host that is down or cordoned must not stop the others from being used.
  const spread = query.topology.spread.map((rule) => ({ rule, least: fewest(rule, eligible) }));
  const fitting: NodeFacts[] = [];
  for (const node of eligible) {
    const reason =
      restriction(node.name) ?? firstFault(roomFilters, query, node) ?? firstSpreadFault(spread, node);
    if (reason === undefined) fitting.push(node);
    else refuse(reason);
  }
  if (fitting.length > 0) return best(container, query, fitting, facts);
  const refusals = sorted(refused);
  return { fits: false, refusals, message: messageOf(refusals, facts.nodes.size) };
}

function queryOf(container: Container, facts: SchedulingFacts): Query {
  const { placement } = container.spec;
  const pinnedNode = placement?.nodeName === '' ? undefined : placement?.nodeName;
  const poolName = rootPoolOf(container);
  return {
    requests: requestsOf(container),
    nodeSelector: placement?.nodeSelector ?? {},
    tolerations: placement?.tolerations ?? [],
    pinnedNode,
    isPinnedNodeKnown: pinnedNode !== undefined && facts.nodes.has(pinnedNode),
    poolName,
    pools: poolsOf(container).map((name) => ({
      name,
      pool: facts.pools.get(name),
      isForVolumes: container.spec.volumes?.some(({ pool }) => pool === name) ?? false,
    })),
    topology: topologyRulesOf(container, facts),
    usage: facts.usage,
    admission: facts.admission,
  };
}

function firstFault(filters: typeof nodeFilters, query: Query, node: NodeFacts): string | undefined {
  for (const filter of filters) {
    const reason = filter(query, node);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function firstSpreadFault(
  spread: readonly { rule: Parameters<typeof spreadFault>[0]; least: number }[],
  node: NodeFacts,
): string | undefined {
  for (const { rule, least } of spread) {
    const reason = spreadFault(rule, least, node);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function best(
  container: Container,
  query: Query,
  nodes: readonly NodeFacts[],
  facts: SchedulingFacts,
): Decision {
  const scores = scoreNodes({ ...query, container }, nodes, facts);
  const uid = container.metadata.uid ?? `${container.metadata.namespace}/${container.metadata.name}`;
  let winner = 0;
  for (let index = 1; index < nodes.length; index += 1) {
    const lead = (scores[index] as Scores).total - (scores[winner] as Scores).total;
    if (lead > 0 || (lead === 0 && isPreferred(uid, nodes[index] as NodeFacts, nodes[winner] as NodeFacts))) {
      winner = index;
    }
  }
  return {
    fits: true,
    node: (nodes[winner] as NodeFacts).name,
    scores: scores[winner] as Scores,
    candidates: nodes.length,
  };
}

function isPreferred(uid: string, node: NodeFacts, other: NodeFacts): boolean {
  const [hash, otherHash] = [stableHash(`${uid}/${node.name}`), stableHash(`${uid}/${other.name}`)];
  return hash === otherHash ? node.name < other.name : hash > otherHash;
}

/** FNV-1a, 32 bits. */
function stableHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/** The commonest first, then by the alphabet. */
function sorted(refused: ReadonlyMap<string, number>): Refusal[] {
  return [...refused]
    .map(([reason, nodes]) => ({ reason, nodes }))
    .sort((a, b) => b.nodes - a.nodes || (a.reason < b.reason ? -1 : 1));
}

function messageOf(refusals: readonly Refusal[], nodeCount: number): string {
  if (nodeCount === 0) return '0/0 nodes fit: no node has registered';
  const told = refusals.slice(0, MAX_REASONS).map(({ reason, nodes }) => `${nodes} ${reason}`);
  const rest = refusals.length - told.length;
  return `0/${nodeCount} nodes fit: ${told.join(', ')}${rest > 0 ? `, and ${rest} more reasons` : ''}`;
}
