import { findCondition, setCondition } from '../../crds/conditions.ts';
import type { Container } from '../../crds/container.ts';
import {
  type DisruptionBudget,
  disruptionBudgetKind,
  type DisruptionBudgetStatus,
} from '../../crds/disruption-budget.ts';
import { keyOf } from '../../crds/object.ts';
import { type BudgetCount, countBudget } from '../../plan/relocation/budgets.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import type { Change } from '../../reconcile/informer.ts';
import { informerSource } from '../../reconcile/source.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';
import { quietSource } from '../quiet-source.ts';
import type { Relocations } from '../relocations.ts';
import { timeStamp } from '../time-stamp.ts';
import { untilGone } from '../until-gone.ts';

/** How late the numbers may be. */
const QUIET_MS = 500;

/** Says in each DisruptionBudget's status how it stands. Decisions about moves count for themselves. */
export function createDisruptionBudgetController(deps: ControllerDeps, relocations: Relocations): Controller {
  const { budgets, containers, migrations } = deps.informers;
  const inNamespace = (namespace: string | undefined): string[] =>
    budgets.cache
      .list()
      .filter(({ metadata }) => metadata.namespace === namespace)
      .map(keyOf);
  const changes = [
    informerSource(containers, ({ metadata }, change) =>
      isCounted(change) ? inNamespace(metadata.namespace) : [],
    ),
    informerSource(migrations, ({ metadata }) => inNamespace(metadata.namespace)),
  ];
  return createController({
    ...deps,
    name: 'disruptionbudget',
    sources: [informerSource(budgets), ...changes.map((source) => quietSource(source, deps.clock, QUIET_MS))],
    reconcile: untilGone(async (key, signal) => {
      const budget = budgets.cache.get(key);
      if (budget === undefined) return {};
      const count = countBudget(budget, containers.cache.list(), relocations.moves());
      const status = budgetStatus(budget, count, timeStamp(deps.clock));
      await writeStatus({ store: deps.store, ref: disruptionBudgetKind }, budget, status, signal);
      return {};
    }),
  });
}

function isCounted({ old, new: now }: Change<Container>): boolean {
  const essence = (container: Container | undefined): string =>
    JSON.stringify([
      container?.metadata.labels,
      container?.metadata.deletionTimestamp,
      container?.spec.power,
      container?.status?.stoppedFor,
      container?.status?.migration?.uid,
      findCondition(container?.status?.conditions, 'Ready')?.status,
    ]);
  return essence(old) !== essence(now);
}

function budgetStatus(budget: DisruptionBudget, count: BudgetCount, now: string): DisruptionBudgetStatus {
  const { generation } = budget.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const { expected, available, allowed } = count;
  const condition = {
    type: 'DisruptionAllowed',
    status: allowed > 0 ? 'True' : 'False',
    reason: allowed > 0 ? 'EnoughAvailable' : 'TooFewAvailable',
    message: `${available} of ${expected} are available`,
    ...observed,
  } as const;
  return {
    ...budget.status,
    ...observed,
    ...count,
    conditions: setCondition(budget.status?.conditions, condition, now),
  };
}
