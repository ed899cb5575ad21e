import { isConditionTrue } from '../../crds/conditions.ts';
import type { Container, ContainerPhase } from '../../crds/container.ts';
import type { DisruptionBudget, IntOrPercent } from '../../crds/disruption-budget.ts';
import { keyOf } from '../../crds/object.ts';
import { matchesLabels } from '../scheduling/labels.ts';
import type { ActiveMoves } from './moves.ts';

/**
 * Which containers drains and rebalancing may take away now. Whatever moves, is not Ready, or is kept off is away; a
 * container that is away already costs its budgets nothing. Containers that people want to be off are in no budget.
 */
export interface Disruptions {
  /** Why `container` may not be taken away; undefined when it may. */
  refusal(container: Container): BudgetRefusal | undefined;
  /** Counts it as away from now on. */
  take(container: Container): void;
}

export interface BudgetRefusal {
  /** namespace/name */
  budget: string;
  /** Whether those that are away are on their way back by themselves. */
  isPassing: boolean;
  message: string;
}

/** What a budget says in its status. */
export interface BudgetCount {
  expected: number;
  available: number;
  /** How many more may be away. */
  allowed: number;
}

/** What is on its way into another state by itself. */
const PASSING: ReadonlySet<ContainerPhase | undefined> = new Set<ContainerPhase | undefined>([
  'Scheduled',
  'Creating',
  'Starting',
  'Stopping',
  'Migrating',
]);

export function isPassingPhase(phase: ContainerPhase | undefined): boolean {
  return PASSING.has(phase);
}

export function isAvailable({ status }: Container, isMoving: boolean): boolean {
  return !isMoving && status?.stoppedFor === undefined && isConditionTrue(status?.conditions, 'Ready');
}

/** @param containers of all namespaces, or at least of the budgets' own */
export function createDisruptions(
  budgets: Iterable<DisruptionBudget>,
  containers: readonly Container[],
  moves: ActiveMoves,
): Disruptions {
  const taken = new Set(moves.keys());
  const all = [...budgets];
  const known = new Map<DisruptionBudget, Container[]>();
  const membersNow = (budget: DisruptionBudget): Container[] => {
    const members = known.get(budget) ?? membersOf(budget, containers);
    known.set(budget, members);
    return members;
  };
  const isMember = (budget: DisruptionBudget, container: Container): boolean =>
    isCounted(container) && selects(budget, container);
  return {
    refusal(container) {
      if (!isAvailable(container, taken.has(keyOf(container)))) return undefined;
      for (const budget of all) {
        if (!isMember(budget, container)) continue;
        const members = membersNow(budget);
        const { allowed, expected, available } = countMembers(budget, members, taken);
        if (allowed > 0) continue;
        const away = members.filter((member) => !isAvailable(member, taken.has(keyOf(member))));
        return {
          budget: keyOf(budget),
          isPassing: away.some((member) => taken.has(keyOf(member)) || isPassingPhase(member.status?.phase)),
          message: `DisruptionBudget ${budget.metadata.name} lets ${String(budget.spec.maxUnavailable)} of ${expected} be away; ${expected - available} are`,
        };
      }
      return undefined;
    },
    take: (container) => void taken.add(keyOf(container)),
  };
}

export function countBudget(
  budget: DisruptionBudget,
  containers: readonly Container[],
  moves: ActiveMoves,
): BudgetCount {
  return countMembers(budget, membersOf(budget, containers), new Set(moves.keys()));
}

/** @returns how many of `expected`; a share is rounded up, as in Kubernetes */
export function resolveMaxUnavailable(maxUnavailable: IntOrPercent, expected: number): number {
  if (typeof maxUnavailable === 'number') return maxUnavailable;
  const percent = Number(maxUnavailable.replace('%', ''));
  return Math.ceil((percent * expected) / 100);
}

function countMembers(
  { spec }: DisruptionBudget,
  members: readonly Container[],
  taken: ReadonlySet<string>,
): BudgetCount {
  const expected = members.length;
  const available = members.filter((member) => isAvailable(member, taken.has(keyOf(member)))).length;
  const most = resolveMaxUnavailable(spec.maxUnavailable, expected);
  return { expected, available, allowed: Math.max(0, most - (expected - available)) };
}

function membersOf(budget: DisruptionBudget, containers: readonly Container[]): Container[] {
  return containers.filter((container) => isCounted(container) && selects(budget, container));
}

function isCounted({ metadata, spec }: Container): boolean {
  return spec.power !== 'Stopped' && metadata.deletionTimestamp === undefined;
}

function selects({ metadata, spec }: DisruptionBudget, container: Container): boolean {
  return (
    metadata.namespace === container.metadata.namespace &&
    matchesLabels(container.metadata.labels, spec.selector.matchLabels)
  );
}
