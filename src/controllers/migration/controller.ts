import type { Container } from '../../crds/container.ts';
import type { Migration } from '../../crds/migration.ts';
import { isConditionTrue } from '../../crds/conditions.ts';
import type { Node } from '../../crds/node.ts';
import { keyOf } from '../../crds/object.ts';
import { isOver } from '../../plan/migration/ending.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import type { Change } from '../../reconcile/informer.ts';
import { createTrigger, informerSource, type Source } from '../../reconcile/source.ts';
import type { ControllerDeps } from '../deps.ts';
import { untilGone } from '../until-gone.ts';
import { migrationReconciler } from './reconcile.ts';

/** Migrations (reconcile.ts): looked at when they, their containers, or their nodes change, and when their time runs out. */
export function createMigrationController(deps: ControllerDeps): Controller {
  const { migrations, containers, nodes, policies } = deps.informers;
  const pending = createTrigger();
  const retry = (): void => {
    for (const migration of migrations.cache.list()) {
      if (isPending(migration)) pending.enqueue(keyOf(migration));
    }
  };
  return createController({
    ...deps,
    name: 'migration',
    reconcile: untilGone(migrationReconciler(deps)),
    sources: [
      pending,
      informerSource(migrations, (migration, { new: now }) => {
        // Those that wait for the limits may go on.
        if (now === undefined || isOver(now.status ?? {})) retry();
        return [keyOf(migration)];
      }),
      informerSource(containers, (container, { old, new: now }) => {
        // One that is copied makes room for another one.
        if (old?.status?.migration?.stage !== now?.status?.migration?.stage) retry();
        return migrationOf(container);
      }),
      informerSource(nodes, (node, change) => (isTurn(change) ? ofNode(deps, node.metadata.name) : [])),
      informerSource(policies, () => {
        retry();
        return [];
      }),
      leaseSource(deps),
    ],
    concurrency: 16,
  });
}

function migrationOf({ metadata, status }: Container): string[] {
  const name = status?.migration?.name;
  return name === undefined ? [] : [`${metadata.namespace ?? ''}/${name}`];
}

function isPending({ status }: Migration): boolean {
  return status?.phase === undefined || status.phase === 'Pending';
}

function isTurn({ old, new: now }: Change<Node>): boolean {
  const isReady = (node: Node | undefined): string =>
    ['Ready', 'LeaseValid'].map((type) => isConditionTrue(node?.status?.conditions, type)).join();
  return isReady(old) !== isReady(now);
}

function leaseSource(deps: ControllerDeps): Source {
  return {
    subscribe: (enqueue) =>
      deps.leases.turns.subscribe((node) => {
        for (const key of ofNode(deps, node)) enqueue(key);
      }),
  };
}

/** Those that have something to do with a node, and are not settled. */
function ofNode({ informers }: ControllerDeps, node: string): string[] {
  return informers.migrations.cache
    .list()
    .filter(({ status, metadata }) => {
      const isDone = isOver(status ?? {}) && (metadata.finalizers ?? []).length === 0;
      return !isDone && (status?.source === node || status?.target === node);
    })
    .map(keyOf);
}
