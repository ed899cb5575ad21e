import type { Migration, SourceReport } from '../../crds/migration.ts';
import { keyOf } from '../../crds/object.ts';
import { type Container, containerKind } from '../../crds/container.ts';
import type { Seen } from '../../plan/lifecycle/record.ts';
import { FIRST_PASS } from '../../plan/migration/passes.ts';
import { planSource, type SourceStep } from '../../plan/migration/source.ts';
import { sleep } from '../../ports/clock.ts';
import { withDeadline } from '../../ports/deadline.ts';
import { errorCode, hasCode, messageOf } from '../../ports/errors.ts';
import type { Reconcile, ReconcileResult } from '../../reconcile/controller.ts';
import type { Latest } from '../../reconcile/latest.ts';
import { parseContainerKey } from '../containers/keys.ts';
import { containerKeyOf, isSettled, look, type MigrationsContext, writeReport } from './context.ts';
import { writeOffer } from './secret.ts';

/** A daemon that restarts, or that reads for an offer from before, is not worth a failed pass. */
const OFFER_TRIES_MS = [200, 500, 1_000, 2_000, 4_000, 8_000] as const;
/** The end of a pass at its source comes with that at its target. */
const END_TIMEOUT_MS = 5_000;
const UNTRUSTED_MS = 1_000;

type Offer = Extract<SourceStep, { do: 'offer' }>;

/**
 * The work of the agent whose node a container moves away from: plan/migration/source.ts, carried out.
 * @param migrations with our own reports: an offer that was made a second time waits for a reader that does not come, and the
 * next one waits for its end
 */
export function sourceReconciler(context: MigrationsContext, migrations: Latest<Migration>): Reconcile {
  /** Operations at the daemon by migration uid, to be ended before the next one. */
  const operations = new Map<string, string>();
  /** uids of containers by migration uid: a Container of the same name that comes later is another one. */
  const uids = new Map<string, string>();

  return async (key, signal) => {
    const migration = migrations.get(key);
    if (migration === undefined) return {};
    if (!context.cluster.isTrusted()) return { requeueAfterMs: UNTRUSTED_MS };
    if (isSettled(migration)) {
      uids.delete(migration.metadata.uid ?? '');
      return await end(context, operations, migration, signal);
    }
    const uid = await uidOf(context, uids, migration, signal);
    const containerKey = containerKeyOf(migration);
    const plan = (seen: Seen | undefined) =>
      planSource({ migration, uid, seen, letGo: context.letGo.get(containerKey) });
    const blind = plan(undefined);
    const step = blind.do === 'look' ? plan(await look(context, migration, signal)) : blind;
    if (givesAway(step)) await remember(context, uid, migration);
    switch (step.do) {
      case 'nothing':
      case 'look':
        return {};
      case 'wait':
        context.wakeContainer(containerKey);
        return { requeueAfterMs: step.afterMs };
      case 'report':
        migrations.learn(await writeReport(context, migration, { sourceReport: step.report }, signal));
        return {};
      case 'offer':
        migrations.learn(await offer({ context, operations, uid }, migration, step, signal));
        return {};
      case 'stepBack':
        await remember(context, uid, migration);
        context.wakeContainer(containerKey);
        return { requeueAfterMs: SOON_MS };
      case 'examine':
        context.wakeContainer(containerKey);
        return { requeueAfterMs: EXAMINE_MS };
      default:
        return await end(context, operations, migration, signal);
    }
  };
}

const SOON_MS = 50;
const EXAMINE_MS = 250;

/** From this step on another node may run the container. */
function givesAway(step: SourceStep): boolean {
  if (step.do === 'offer') return step.live || step.report.stoppedEpoch !== undefined;
  return step.do === 'report' && step.report.stoppedEpoch !== undefined;
}

/** On the disk before that: an agent that is killed then, and starts with an old view, must start nothing under an old epoch. */
async function remember({ book }: MigrationsContext, uid: string, { status }: Migration): Promise<void> {
  book.raiseEpoch(uid, status?.epoch ?? 0);
  await book.save();
}

/** The Container that was claimed; it may be placed elsewhere by now, where the cache does not show it. */
async function uidOf(
  { store, latest }: MigrationsContext,
  uids: Map<string, string>,
  migration: Migration,
  signal: AbortSignal,
): Promise<string> {
  const { uid: migrationUid = '', namespace = '' } = migration.metadata;
  const known = uids.get(migrationUid);
  if (known !== undefined) return known;
  const key = { namespace, name: migration.spec.container };
  const cached = latest.get(containerKeyOf(migration));
  const container =
    cached?.status?.migration?.uid === migrationUid
      ? cached
      : await store.get<Container>(containerKind, key, signal);
  const uid = container?.metadata.uid ?? '';
  if (container?.status?.migration?.uid === migrationUid) uids.set(migrationUid, uid);
  return uid;
}

async function offer(
  { context, operations, uid }: { context: MigrationsContext; operations: Map<string, string>; uid: string },
  migration: Migration,
  { pass, live, report }: Offer,
  signal: AbortSignal,
): Promise<Migration> {
  const { store, host, logger } = context;
  const name = parseContainerKey(containerKeyOf(migration))?.instance ?? '';
  let next: Partial<SourceReport>;
  try {
    await patiently(context, signal, () => endLast(context, operations, migration, signal));
    const isToGoLive = pass === FIRST_PASS && migration.status?.mode === 'Live';
    const { liveObstacle, ...made } = await patiently(context, signal, () =>
      host.offerTransfer({ name, uid }, { live, isToGoLive }, signal),
    );
    operations.set(migration.metadata.uid ?? '', made.operation);
    await writeOffer(store, migration, { pass, offer: made }, signal);
    const inTheWay = liveObstacle === undefined ? {} : { liveObstacle };
    next = { ...report, ...inTheWay, offered: pass, operation: made.operation };
  } catch (error) {
    if (signal.aborted) throw error;
    logger.warn(
      { migration: keyOf(migration), pass, error: messageOf(error) },
      'a pass could not be offered',
    );
    next = { ...report, failedPass: pass, fault: { reason: 'OfferFailed', message: messageOf(error) } };
  }
  return await writeReport(context, migration, { sourceReport: next }, signal);
}

/** The daemon reads an instance for one target at a time. After a restart of the agent its report knows the operation. */
async function endLast(
  { host, clock }: MigrationsContext,
  operations: Map<string, string>,
  migration: Migration,
  signal: AbortSignal,
): Promise<void> {
  const { uid = '' } = migration.metadata;
  const operation = operations.get(uid) ?? migration.status?.sourceReport?.operation;
  if (operation === undefined) return;
  const limits = { clock, timeoutMs: END_TIMEOUT_MS, what: 'The end of the pass before' };
  try {
    await withDeadline(limits, signal, (inner) => host.awaitTransfer(operation, inner));
  } catch (error) {
    if (signal.aborted) throw error;
    await host.cancelTransfer(operation, signal);
  }
  operations.delete(uid);
}

async function patiently<T>(
  { clock }: MigrationsContext,
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  for (const waitMs of OFFER_TRIES_MS) {
    try {
      return await run();
    } catch (error) {
      if (signal.aborted || !hasCode(error, 'Conflict', 'Unavailable', 'Timeout', 'Internal')) throw error;
      await sleep(clock, waitMs, signal);
    }
  }
  return await run();
}

async function end(
  context: MigrationsContext,
  operations: Map<string, string>,
  migration: Migration,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { uid = '' } = migration.metadata;
  const operation = operations.get(uid);
  if (operation !== undefined) {
    try {
      await context.host.cancelTransfer(operation, signal);
    } catch (error) {
      // It ends by itself when nobody takes it up.
      context.logger.debug({ operation, code: errorCode(error) }, 'an offer could not be withdrawn');
    }
    operations.delete(uid);
  }
  if (migration.status?.sourceReport?.cleared !== true) context.wakeContainer(containerKeyOf(migration));
  return {};
}
