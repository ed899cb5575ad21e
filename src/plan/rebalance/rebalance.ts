import { isConditionTrue } from '../../crds/conditions.ts';
import type { Container } from '../../crds/container.ts';
import { parseDurationMs } from '../../crds/duration.ts';
import { keyOf } from '../../crds/object.ts';
import type { RebalancePolicy } from '../../crds/rebalance.ts';
import type { Relocation } from '../drain/drain.ts';
import { commitMove, judgeMove, type RelocationFacts } from '../relocation/judge.ts';
import type { NodeFacts } from '../scheduling/node-facts.ts';
import { createLoads, type Loads, type Weight, weightOf } from './load.ts';
import { isWorsePlace } from './place.ts';

/**
 * Which containers go from crowded hosts to others. A move must pay: between the two hosts lies more than the threshold,
 * and afterwards the fuller of the two is clearly less full than the source was. With every move the list of loads, from the
 * fullest host down, becomes smaller, so as long as nobody changes what the containers ask for it comes to an end; and no
 * container goes back to where it was taken from.
 */
export interface RebalanceFacts extends RelocationFacts {
  rules: RebalanceRules;
  containers: readonly Container[];
  /** Moves of this kind that began within the window. */
  recentMoves: number;
  /** Migrations of the container that have ended, as far as they are remembered. */
  historyOf(container: Container): readonly PastMove[];
}

export interface PastMove {
  /** The node that it left, or was to leave. */
  source: string;
  /** Milliseconds since its end. */
  sinceMs: number;
  /** Whether it was made to relieve the source, and succeeded. */
  isRelief: boolean;
}

export interface RebalanceRules {
  /** 0.2: twenty percentage points. */
  threshold: number;
  maxMoves: number;
  windowMs: number;
  cooldownMs: number;
}

interface Candidate extends Relocation {
  weight: Weight;
  source: string;
  /** How full the fuller of the two would be. */
  peak: number;
  /** How full the target would be. */
  there: number;
}

/** A move that relieves the source by less than this part of the threshold is not worth it. */
const WORTH = 0.25;
/** For so many cooldowns a container is not moved back to a node that it left for relief. */
const AVOIDS_COOLDOWNS = 24;
/** So many are looked at in full for one move: the best ones. */
const MAX_LOOKS = 50;

export function rebalanceRulesOf(policy: RebalancePolicy): RebalanceRules {
  return {
    threshold: (policy.threshold ?? 20) / 100,
    maxMoves: policy.maxMoves ?? 2,
    windowMs: parseDurationMs(policy.window ?? '') ?? 600_000,
    cooldownMs: parseDurationMs(policy.cooldown ?? '') ?? 3_600_000,
  };
}

/** @returns the moves to begin now, the most useful first; each is counted in `facts` */
export function planRebalance(facts: RebalanceFacts): Relocation[] {
  const { rules, recentMoves, containers, room, moves } = facts;
  const loads = createLoads(room.facts.nodes, containers, moves);
  const planned: Relocation[] = [];
  const taken = new Set<string>();
  while (planned.length + recentMoves < rules.maxMoves) {
    const next = bestMove(facts, loads, taken);
    if (next === undefined) break;
    const { container, target } = next;
    taken.add(keyOf(container));
    commitMove(container, target, facts);
    loads.move(next.weight, next.source, target);
    planned.push({ container, target });
  }
  return planned;
}

function bestMove(facts: RebalanceFacts, loads: Loads, taken: ReadonlySet<string>): Candidate | undefined {
  const free = facts.containers.filter(
    (container) => !taken.has(keyOf(container)) && isFree(container, facts),
  );
  const bySource = Map.groupBy(free, ({ status }) => status?.nodeName ?? '');
  const nodes = [...facts.room.facts.nodes.values()].filter(({ isReady }) => isReady);
  for (const source of fullestFirst(nodes, loads)) {
    const candidates = candidatesOf(source, bySource.get(source.name) ?? [], nodes, { facts, loads });
    const found = candidates
      .slice(0, MAX_LOOKS)
      .find(({ container, target }) => isGood(container, target, facts));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What runs well, where its node is not emptied anyway, and has not been moved lately. */
function isFree(container: Container, facts: RebalanceFacts): boolean {
  const { status } = container;
  return (
    status?.phase === 'Running' &&
    isConditionTrue(status.conditions, 'Ready') &&
    facts.room.facts.nodes.get(status.nodeName ?? '')?.isInMaintenance === false &&
    facts.historyOf(container).every(({ sinceMs }) => sinceMs >= facts.rules.cooldownMs)
  );
}

function candidatesOf(
  source: NodeFacts,
  containers: readonly Container[],
  nodes: readonly NodeFacts[],
  { facts, loads }: { facts: RebalanceFacts; loads: Loads },
): Candidate[] {
  const { threshold } = facts.rules;
  const load = loads.of(source.name);
  const targets = nodes.filter(({ name }) => load - loads.of(name) > threshold);
  const candidates = containers.flatMap((container) => {
    const weight = weightOf(container);
    const left = loads.after(source.name, weight, -1);
    return targets.map(({ name }) => {
      const there = loads.after(name, weight, 1);
      const peak = Math.max(left, there);
      return { container, target: name, source: source.name, weight, peak, there };
    });
  });
  return candidates
    .filter(({ peak }) => load - peak >= threshold * WORTH)
    .sort((a, b) => a.peak - b.peak || a.there - b.there || byName(a, b));
}

function isGood(container: Container, target: string, facts: RebalanceFacts): boolean {
  return (
    !hasLeft(container, target, facts) &&
    judgeMove(container, facts, target).is === 'go' &&
    !isWorsePlace(container, target, facts.room.facts)
  );
}

function hasLeft(container: Container, node: string, facts: RebalanceFacts): boolean {
  return facts
    .historyOf(container)
    .some(
      ({ source, sinceMs, isRelief }) =>
        isRelief && source === node && sinceMs < facts.rules.cooldownMs * AVOIDS_COOLDOWNS,
    );
}

function fullestFirst(nodes: readonly NodeFacts[], loads: Loads): NodeFacts[] {
  return [...nodes].sort((a, b) => loads.of(b.name) - loads.of(a.name) || (a.name < b.name ? -1 : 1));
}

function byName(a: Candidate, b: Candidate): number {
  const [one, other] = [`${keyOf(a.container)} ${a.target}`, `${keyOf(b.container)} ${b.target}`];
  return one < other ? -1 : 1;
}
