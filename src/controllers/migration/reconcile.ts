import { findCondition } from '../../crds/conditions.ts';
import { type Container, containerKind } from '../../crds/container.ts';
import {
  isHeld,
  type Migration,
  MIGRATION_FINALIZER,
  migrationKind,
  transferSecretName,
} from '../../crds/migration.ts';
import { keyOf, referenceTo } from '../../crds/object.ts';
import { secretRef } from '../../crds/secret.ts';
import { ended, goesOn, isOver, says, untilDeadlineMs } from '../../plan/migration/ending.ts';
import type { MigrationFacts, MigrationStep } from '../../plan/migration/facts.ts';
import { planMigration } from '../../plan/migration/migration.ts';
import { claimedStatus, newClaim } from '../../plan/migration/stages.ts';
import { unmovable } from '../../plan/relocation/movable.ts';
import { type ActiveMove, partOf } from '../../plan/relocation/moves.ts';
import type { Reconcile, ReconcileResult } from '../../reconcile/controller.ts';
import { isOlder } from '../../reconcile/resource-version.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';
import { addFinalizer, removeFinalizer } from '../finalizer.ts';
import { admit, type Admission, tellBegun, tellCold } from './admission.ts';
import { pruneHistory } from './history.ts';
import { nodeSight } from './node-sight.ts';
import { settleStray } from './stray.ts';

/**
 * One migration: plans the next step (plan/migration) from what the caches show and what was just written, carries it out,
 * and plans again, until there is nothing to do but wait. Every write is conditional on the version that was looked at; before
 * a migration ends, both objects are read afresh, so that an old view ends none.
 */
interface State {
  deps: ControllerDeps;
  /** Moves that were admitted, by uid of the Migration, while the cache does not show them begun. */
  admitted: Map<string, ActiveMove>;
}

/** What is looked at in one pass: the cache, or what a write has brought back since. */
interface Objects {
  migration: Migration;
  container: Container | undefined;
}

const MAX_STEPS = 12;
const LIMITS_MS = 5_000;
const AGAIN_MS = 50;
const LOOK_MS = 5_000;

export function migrationReconciler(deps: ControllerDeps): Reconcile {
  const state: State = { deps, admitted: new Map() };
  return async (key, signal) => {
    const { migrations, containers } = deps.informers;
    const migration = migrations.cache.get(key);
    if (migration === undefined) return await settleStray(deps, key, signal);
    let objects: Objects = { migration, container: undefined };
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const containerKey = `${migration.metadata.namespace ?? ''}/${migration.spec.container}`;
      objects = { ...objects, container: newer(objects.container, containers.cache.get(containerKey)) };
      const facts = factsOf(deps, objects);
      const step = planMigration(facts);
      const outcome = await carryOut(state, facts, step, signal);
      if ('result' in outcome) return outcome.result;
      objects = { ...objects, ...outcome };
    }
    return { requeueAfterMs: AGAIN_MS };
  };
}

function newer(written: Container | undefined, cached: Container | undefined): Container | undefined {
  if (written === undefined || cached?.metadata.uid !== written.metadata.uid) return cached;
  return isOlder(cached?.metadata.resourceVersion, written.metadata.resourceVersion) ? written : cached;
}

function factsOf(deps: ControllerDeps, { migration, container }: Objects): MigrationFacts {
  const { status, metadata } = migration;
  const ms = deps.clock.nowMs();
  const now = { ms, iso: new Date(ms).toISOString() };
  const claim = container?.status?.migration;
  const isOurs = claim?.uid === metadata.uid;
  const { source = '', target = '' } = isOurs && claim !== undefined ? claim : (status ?? {});
  const { pauseStartedAt } = status ?? {};
  const obstacle = container === undefined ? undefined : unmovable(container, deps.facts.pools);
  return {
    migration,
    container,
    source: nodeSight(deps, source, container),
    target: nodeSight(deps, target, container),
    now,
    begunMs: Date.parse(metadata.creationTimestamp ?? status?.startedAt ?? now.iso),
    ...(pauseStartedAt === undefined ? {} : { pauseStartedMs: Date.parse(pauseStartedAt) }),
    ...(obstacle === undefined ? {} : { obstacle }),
  };
}

type Outcome = Partial<Objects> | { result: ReconcileResult };

async function carryOut(
  state: State,
  facts: MigrationFacts,
  step: MigrationStep,
  signal: AbortSignal,
): Promise<Outcome> {
  const { deps } = state;
  switch (step.do) {
    case 'nothing':
      return { result: whenToLookAgain(facts, step.afterMs) };
    case 'admit':
      return await begin(state, facts, signal);
    case 'container':
      return await writeContainer(deps, facts, step, signal);
    case 'status':
      return await writeMigration(state, facts, step, signal);
    default:
      return { result: await letGo(deps, facts.migration, signal) };
  }
}

function whenToLookAgain(facts: MigrationFacts, afterMs: number | undefined): ReconcileResult {
  if (isOver(facts.migration.status ?? {})) return afterMs === undefined ? {} : { requeueAfterMs: afterMs };
  const leftMs = Math.max(0, untilDeadlineMs(facts));
  // That a node falls silent is no change of any object.
  return { requeueAfterMs: Math.min(leftMs, afterMs ?? leftMs, LOOK_MS) };
}

/** The choice first, so that whoever finds the claim finds it too; then the claim, which no other migration can make. */
async function begin(state: State, facts: MigrationFacts, signal: AbortSignal): Promise<Outcome> {
  const { deps, admitted } = state;
  const { uid = '' } = facts.migration.metadata;
  const admission = await admit(deps, facts.migration, () => begunMoves(state, uid), signal);
  if (admission.is === 'refused') {
    return await writeMigration(state, facts, ended(facts, 'Failed', admission.why), signal);
  }
  if (admission.is === 'waiting') {
    const status = goesOn(facts, 'Pending', admission.message);
    await writeStatus({ store: deps.store, ref: migrationKind }, facts.migration, status, signal);
    return { result: { requeueAfterMs: Math.min(LIMITS_MS, Math.max(0, untilDeadlineMs(facts))) } };
  }
  const { container, target, mode } = admission;
  admitted.set(uid, { source: container.status?.nodeName ?? '', target });
  try {
    const held = await addFinalizer(
      { store: deps.store, ref: migrationKind },
      facts.migration,
      MIGRATION_FINALIZER,
      signal,
    );
    const migration = await writeStatus(
      { store: deps.store, ref: migrationKind },
      held,
      chosen({ ...facts, migration: held }, admission),
      signal,
    );
    const claim = newClaim(migration, {
      source: container.status?.nodeName ?? '',
      target,
      transfer: mode.transfer,
    });
    const status = claimedStatus(container, claim);
    const claimed = await writeStatus({ store: deps.store, ref: containerKind }, container, status, signal);
    deps.facts.setContainer(claimed);
    deps.events.record(referenceTo(migration), 'Normal', 'Begun', tellBegun(migration, admission));
    return { migration, container: claimed };
  } catch (error) {
    admitted.delete(uid);
    throw error;
  }
}

function chosen(
  facts: MigrationFacts,
  { container, target, mode }: Extract<Admission, { is: 'admitted' }>,
): NonNullable<Migration['status']> {
  const { status = {} } = facts.migration;
  const choice = {
    ...status,
    source: container.status?.nodeName ?? '',
    target,
    mode: mode.mode,
    transfer: mode.transfer,
    startedAt: status.startedAt ?? facts.now.iso,
  };
  const migration = { ...facts.migration, status: choice };
  const next = goesOn({ ...facts, migration }, 'Pending', `It goes to ${target}`);
  if (mode.whyCold === undefined) return next;
  const live = { type: 'Live', status: 'False', ...mode.whyCold } as const;
  return says({ ...facts, migration: { ...migration, status: next } }, live);
}

function begunMoves({ deps, admitted }: State, exceptUid: string): ActiveMove[] {
  const { migrations, containers } = deps.informers;
  const moves = new Map<string, ActiveMove>();
  for (const { metadata, spec, status } of migrations.cache.list()) {
    const { uid = '', namespace = '' } = metadata;
    const hasBegun = status?.source !== undefined && status.phase !== 'Pending';
    if (hasBegun) admitted.delete(uid);
    if (!hasBegun || isOver(status)) continue;
    const stage = containers.cache.get(`${namespace}/${spec.container}`)?.status?.migration?.stage;
    moves.set(uid, {
      source: status.source ?? '',
      target: status.target,
      part: partOf(stage, status.phase),
    });
  }
  for (const [uid, move] of admitted) moves.set(uid, move);
  moves.delete(exceptUid);
  return [...moves.values()];
}

async function writeContainer(
  { store, facts: scheduling, logger, events }: ControllerDeps,
  { migration, container }: MigrationFacts,
  { what, status }: Extract<MigrationStep, { do: 'container' }>,
  signal: AbortSignal,
): Promise<Outcome> {
  if (container === undefined) return { result: { requeueAfterMs: AGAIN_MS } };
  const written = await writeStatus({ store, ref: containerKind }, container, status, signal);
  scheduling.setContainer(written);
  const { epoch, nodeName } = status;
  logger.info(
    { migration: keyOf(migration), container: keyOf(written), what, epoch, nodeName },
    'container moves',
  );
  if (what === 'switch' || what === 'arrived') {
    const message = `Moved from ${migration.status?.source} to ${migration.status?.target}`;
    events.record(referenceTo(written), 'Normal', 'Migrated', message);
  }
  if (what === 'return') {
    events.record(referenceTo(written), 'Warning', 'MigrationReturned', `Goes on on ${nodeName}`);
  }
  return { container: written };
}

async function writeMigration(
  state: State,
  facts: MigrationFacts,
  step: MigrationStep,
  signal: AbortSignal,
): Promise<Outcome> {
  if (step.do !== 'status') return { result: {} };
  const { deps, admitted } = state;
  const isEnd = isOver(step.status) && !isOver(facts.migration.status ?? {});
  if (isEnd && !(await isStillSo(deps, facts, step, signal))) return { result: { requeueAfterMs: AGAIN_MS } };
  const { store, events, logger } = deps;
  const migration = await writeStatus({ store, ref: migrationKind }, facts.migration, step.status, signal);
  const { phase, pauseMs } = step.status;
  if (phase !== facts.migration.status?.phase) {
    logger.info({ migration: keyOf(migration), phase, pauseMs }, 'migration goes on');
  }
  if (facts.migration.status?.mode === 'Live' && step.status.mode === 'Cold') {
    events.record(referenceTo(migration), 'Normal', 'GoesCold', tellCold(migration));
  }
  if (isEnd) {
    admitted.delete(migration.metadata.uid ?? '');
    const message = findCondition(step.status.conditions, 'Succeeded')?.message ?? '';
    events.record(referenceTo(migration), phase === 'Succeeded' ? 'Normal' : 'Warning', phase ?? '', message);
    // What was refused holds nothing that it would have to let go of first.
    if (!isHeld(migration)) await pruneHistory(deps, migration, signal);
  }
  return { migration };
}

/** A refusal rests on a fresh read already; every other end is planned once more from one. */
async function isStillSo(
  deps: ControllerDeps,
  { migration, container }: MigrationFacts,
  step: Extract<MigrationStep, { do: 'status' }>,
  signal: AbortSignal,
): Promise<boolean> {
  const { phase } = migration.status ?? {};
  if (phase === undefined || phase === 'Pending') return true;
  const { namespace = '', name } = migration.metadata;
  const key = { namespace, name: migration.spec.container };
  const freshContainer = await deps.store.get<Container>(containerKind, key, signal);
  const fresh = await deps.store.get<Migration>(migrationKind, { namespace, name }, signal);
  if (fresh?.metadata.resourceVersion !== migration.metadata.resourceVersion) return false;
  if (freshContainer?.metadata.resourceVersion === container?.metadata.resourceVersion) return true;
  const again = planMigration(factsOf(deps, { migration, container: freshContainer }));
  return again.do === 'status' && again.status.phase === step.status.phase;
}

async function letGo(
  deps: ControllerDeps,
  migration: Migration,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { store } = deps;
  const { namespace = '' } = migration.metadata;
  await store.delete(secretRef, { namespace, name: transferSecretName(migration) }, {}, signal);
  await removeFinalizer({ store, ref: migrationKind }, migration, MIGRATION_FINALIZER, signal);
  await pruneHistory(deps, migration, signal);
  return {};
}
