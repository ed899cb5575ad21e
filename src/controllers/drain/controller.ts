import { findCondition } from '../../crds/conditions.ts';
import type { Container } from '../../crds/container.ts';
import type { Migration } from '../../crds/migration.ts';
import type { Node } from '../../crds/node.ts';
import { isFinished } from '../../plan/relocation/moves.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import type { Change } from '../../reconcile/informer.ts';
import { isSameJson } from '../../reconcile/same-json.ts';
import { informerSource } from '../../reconcile/source.ts';
import type { ControllerDeps } from '../deps.ts';
import type { Relocations } from '../relocations.ts';
import { untilGone } from '../until-gone.ts';
import { drainReconciler, isAtWork } from './reconcile.ts';

/** Nodes in maintenance, and those whose maintenance has ended (reconcile.ts). */
export function createDrainController(deps: ControllerDeps, relocations: Relocations): Controller {
  const { nodes, containers, migrations, budgets, policies } = deps.informers;
  const atWork = (): string[] =>
    nodes.cache
      .list()
      .filter(isAtWork)
      .map(({ metadata }) => metadata.name);
  const isNodeAtWork = (name: string | undefined): name is string => {
    const node = name === undefined ? undefined : nodes.cache.get(name);
    return node !== undefined && isAtWork(node);
  };
  const controller = createController({
    ...deps,
    name: 'drain',
    reconcile: untilGone(drainReconciler(deps, relocations)),
    sources: [
      informerSource(nodes, (node, change) => (isMeant(change) ? [...atWork(), node.metadata.name] : [])),
      // What others do to room and budgets is seen at the next look of those that wait for it.
      informerSource(containers, ({ status }, change) =>
        isSeen(change) ? [status?.nodeName, status?.drainedFrom].filter(isNodeAtWork) : [],
      ),
      // Its end lets others begin, on other nodes too.
      informerSource(migrations, (_, change) => (endsOrBegins(change) ? atWork() : [])),
      informerSource(budgets, (_, { old, new: now }) =>
        old?.metadata.generation === now?.metadata.generation ? [] : atWork(),
      ),
      informerSource(policies, () => atWork()),
    ],
    // One after the other: what one decides the next one has to know.
    concurrency: 1,
  });
  return {
    ...controller,
    async start(signal) {
      await relocations.ready(signal);
      await controller.start(signal);
    },
  };
}

/** Not every report of an agent. */
function isMeant({ old, new: now }: Change<Node>): boolean {
  return old === undefined || now === undefined || !isSameJson(essence(old), essence(now));
}

function essence({ metadata, status }: Node): object {
  return {
    generation: metadata.generation,
    ready: findCondition(status?.conditions, 'Ready')?.status,
    drain: status?.drain?.phase,
    pools: status?.pools?.map(({ name, ready }) => ({ name, ready })),
  };
}

function isSeen({ old, new: now }: Change<Container>): boolean {
  return !isSameJson(stateOf(old), stateOf(now));
}

function stateOf(container: Container | undefined): object | undefined {
  if (container === undefined) return undefined;
  const { metadata, status } = container;
  return {
    generation: metadata.generation,
    deletionTimestamp: metadata.deletionTimestamp,
    labels: metadata.labels,
    phase: status?.phase,
    nodeName: status?.nodeName,
    migration: status?.migration?.uid,
    stage: status?.migration?.stage,
    drainedFrom: status?.drainedFrom,
    stoppedFor: status?.stoppedFor,
    ready: findCondition(status?.conditions, 'Ready')?.status,
  };
}

function endsOrBegins({ old, new: now }: Change<Migration>): boolean {
  return old === undefined || now === undefined || isFinished(old) !== isFinished(now);
}
