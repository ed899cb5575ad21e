import { type Migration, migrationKind } from '../../crds/migration.ts';
import { keyOf } from '../../crds/object.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import { staysAtSource } from '../../plan/migration/source.ts';
import { staysAtTarget } from '../../plan/migration/target.ts';
import { createInformer, type Informer } from '../../reconcile/informer.ts';
import { createLatest } from '../../reconcile/latest.ts';
import { createTrigger, informerSource, periodicSource } from '../../reconcile/source.ts';
import { containerKeyOf, isSettled, type MigrationsContext } from './context.ts';
import { sourceReconciler } from './source.ts';
import { targetWork } from './target.ts';

/**
 * The migrations that this node has a part in. The leader says in each what is to be done next; this carries it out on the
 * host and says in the Migration what came of it. Whether the container may run here is decided elsewhere, by the Container
 * alone (plan/lifecycle/moving.ts): nothing here starts or stops one, but for a live pass.
 */
export interface MigrationSync {
  readonly informers: readonly Informer<Migration>[];
  readonly controllers: readonly Controller[];
  /** Something has happened to the container `key`. */
  wake(key: string): void;
  /** How many go on that the host has a part in. */
  active(): number;
  /** Whether a migration keeps what there is of the container `key`, which is placed elsewhere. */
  keeps(key: string): boolean;
}

const CONCURRENCY = 16;
/** A pass may take as long as the bytes take; its migration has a deadline. */
const DEADLINE_MS = 24 * 3_600_000;
const RESYNC_MS = 30_000;

export function createMigrationInformers(
  options: Pick<MigrationsContext, 'store' | 'clock' | 'logger' | 'metrics' | 'nodeName'>,
): { leaving: Informer<Migration>; coming: Informer<Migration> } {
  const { nodeName } = options;
  const of = (field: string) =>
    createInformer<Migration>({
      ...options,
      ref: migrationKind,
      fieldSelector: `status.${field}=${nodeName}`,
    });
  return { leaving: of('source'), coming: of('target') };
}

export function createMigrationSync(
  context: MigrationsContext,
  { leaving, coming }: ReturnType<typeof createMigrationInformers>,
): MigrationSync {
  const target = targetWork(context, coming.cache);
  coming.onChange(({ key, new: migration }) => target.review(migration, key));
  for (const informer of [leaving, coming]) {
    // It was deleted: what is left of it may be looked at.
    informer.onChange(({ old, new: now }) => {
      if (old !== undefined && now === undefined) context.wakeContainer(containerKeyOf(old));
    });
  }
  const triggers = { leaving: createTrigger(), coming: createTrigger() };
  const controllerOf = (
    name: string,
    informer: Informer<Migration>,
    trigger: ReturnType<typeof createTrigger>,
    reconcile: typeof target.reconcile,
  ): Controller =>
    createController({
      ...context,
      name,
      reconcile,
      sources: [
        informerSource(informer),
        trigger,
        periodicSource(context.clock, RESYNC_MS, () => unsettled(informer)),
      ],
      concurrency: CONCURRENCY,
      deadlineMs: DEADLINE_MS,
    });
  return {
    informers: [leaving, coming],
    controllers: [
      controllerOf(
        'migrations-leaving',
        leaving,
        triggers.leaving,
        sourceReconciler(context, createLatest(leaving.cache)),
      ),
      controllerOf('migrations-coming', coming, triggers.coming, target.reconcile),
    ],
    wake(key) {
      for (const migration of leaving.cache.list()) {
        if (containerKeyOf(migration) === key) triggers.leaving.enqueue(keyOf(migration));
      }
    },
    active: () => unsettled(leaving).length + unsettled(coming).length,
    keeps: (key) =>
      leaving.cache.list().some((one) => containerKeyOf(one) === key && staysAtSource(one)) ||
      coming.cache.list().some((one) => containerKeyOf(one) === key && staysAtTarget(one)),
  };
}

function unsettled({ cache }: Informer<Migration>): string[] {
  return cache
    .list()
    .filter((migration) => !isSettled(migration))
    .map(keyOf);
}
