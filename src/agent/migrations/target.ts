import { type Container, containerKind, instanceNameOf } from '../../crds/container.ts';
import type { Migration, TargetReport } from '../../crds/migration.ts';
import { keyOf } from '../../crds/object.ts';
import { planTarget, type TargetStep } from '../../plan/migration/target.ts';
import { sleep } from '../../ports/clock.ts';
import { hasCode, HostlerError, messageOf } from '../../ports/errors.ts';
import type { Reconcile, ReconcileResult } from '../../reconcile/controller.ts';
import type { Cache } from '../../reconcile/informer.ts';
import { containerKeyOf, isSettled, look, type MigrationsContext, writeReport } from './context.ts';
import { pull } from './pull.ts';

const EXAMINE_MS = 250;
const UNTRUSTED_MS = 1_000;
/** After a pass that failed, so that a daemon that restarts can be back. */
const FAILED_MS = 1_000;
const FAILED_FINAL_MS = 200;
const CLEAR_AGAIN_MS = 500;

interface State {
  context: MigrationsContext;
  /** The last pass that was tried, by uid of the migration. */
  tried: Map<string, Tried>;
  /** Of the pass that is fetched now. */
  pulls: Map<string, { pass: number; controller: AbortController }>;
}

interface Tried {
  pass: number;
  fault?: TargetReport['fault'];
  /** What came of it, until the API has taken it: a pass is tried once, so it could not be found out again. */
  unsaid?: object;
}

export interface TargetWork {
  reconcile: Reconcile;
  /** Ends the pass of a migration that does not want it any more. */
  review(migration: Migration | undefined, key: string): void;
}

/** The work of the agent whose node a container moves to: plan/migration/target.ts, carried out. */
export function targetWork(context: MigrationsContext, cache: Pick<Cache<Migration>, 'get'>): TargetWork {
  const state: State = { context, tried: new Map(), pulls: new Map() };
  return {
    async reconcile(key, signal) {
      const migration = cache.get(key);
      if (migration === undefined) return {};
      if (!context.cluster.isTrusted()) return { requeueAfterMs: UNTRUSTED_MS };
      if (!isSettled(migration)) return await step(state, migration, signal);
      state.tried.delete(migration.metadata.uid ?? '');
      // Of one that succeeded nothing is left here but the container itself.
      if (migration.status?.phase !== 'Succeeded') context.wakeContainer(containerKeyOf(migration));
      return {};
    },
    review(migration, key) {
      const running = state.pulls.get(key);
      if (running === undefined || isWanted(migration, running.pass)) return;
      running.controller.abort(new HostlerError('Aborted', 'The migration does not want this pass any more'));
    },
  };
}

/** A live pass is never cut short: what comes of it is told, whatever has become of the migration. */
function isWanted(migration: Migration | undefined, pass: number): boolean {
  const { phase, mode, pass: wanted } = migration?.status ?? {};
  if (phase === 'SwitchingOver' && mode === 'Live') return true;
  const isCopied = phase === 'Copying' || phase === 'Refreshing' || phase === 'SwitchingOver';
  return (isCopied && wanted === pass) || (mode === 'Live' && phase !== undefined && wanted === pass);
}

async function step(state: State, migration: Migration, signal: AbortSignal): Promise<ReconcileResult> {
  const { context, tried } = state;
  const { uid = '' } = migration.metadata;
  if (tried.get(uid)?.unsaid !== undefined) {
    await sayOutcome(state, migration, signal);
    return {};
  }
  const { nodeName } = context;
  const triedPass = tried.get(uid)?.pass;
  const blind = planTarget({ migration, nodeName, triedPass, sight: undefined });
  if (blind.do === 'nothing') return {};
  const container = await readContainer(context, migration, signal);
  const next =
    blind.do === 'look'
      ? planTarget({
          migration,
          nodeName,
          triedPass,
          sight: { container, seen: await look(context, migration, signal) },
        })
      : blind;
  switch (next.do) {
    case 'nothing':
    case 'look':
      return {};
    case 'wait':
      return { requeueAfterMs: next.afterMs };
    case 'report':
      await report(context, migration, next.report, signal);
      if (next.report.runningEpoch !== undefined) context.wakeContainer(containerKeyOf(migration));
      return {};
    case 'examine':
      context.wakeContainer(containerKeyOf(migration));
      return { requeueAfterMs: EXAMINE_MS };
    case 'pull':
      return container === undefined ? {} : await fetchPass(state, { migration, container, ...next }, signal);
    default:
      return container === undefined ? {} : await clear(state, { migration, container }, next, signal);
  }
}

async function readContainer(
  { store }: MigrationsContext,
  { metadata: { namespace = '' }, spec }: Migration,
  signal: AbortSignal,
): Promise<Container | undefined> {
  return await store.get<Container>(containerKind, { namespace, name: spec.container }, signal);
}

interface Pass {
  migration: Migration;
  container: Container;
  pass: number;
  live: boolean;
}

async function fetchPass(state: State, wanted: Pass, signal: AbortSignal): Promise<ReconcileResult> {
  const { context, tried, pulls } = state;
  const { migration, container, pass, live } = wanted;
  const key = keyOf(migration);
  const { uid = '' } = migration.metadata;
  if (live && !(await context.guarded.mayStart(container, signal))) return { requeueAfterMs: EXAMINE_MS };
  const controller = new AbortController();
  pulls.set(key, { pass, controller });
  tried.set(uid, { pass });
  try {
    const both = AbortSignal.any([signal, controller.signal]);
    const { bytes, tookMs } = await pull(context, wanted, both);
    const running = live ? { runningEpoch: container.status?.epoch ?? 0 } : {};
    const targetReport = { pass, bytes, tookMs: Math.round(tookMs), ...running };
    const progress = { bytes, total: null, percent: 100, rate: null };
    tried.set(uid, { pass, unsaid: { targetReport, progress } });
  } catch (error) {
    if (signal.aborted) throw error;
    const result = await failed(state, wanted, error, signal);
    if (result !== undefined) return result;
  } finally {
    pulls.delete(key);
  }
  await sayOutcome(state, migration, signal);
  if (live) context.wakeContainer(containerKeyOf(migration));
  return {};
}

async function sayOutcome(
  { context, tried }: State,
  migration: Migration,
  signal: AbortSignal,
): Promise<void> {
  const { uid = '' } = migration.metadata;
  const last = tried.get(uid);
  if (last?.unsaid === undefined) return;
  await writeReport(context, migration, last.unsaid, signal);
  const { unsaid: _unsaid, ...said } = last;
  tried.set(uid, said);
}

async function failed(
  { context, tried }: State,
  { migration, pass, live }: Pass,
  error: unknown,
  signal: AbortSignal,
): Promise<ReconcileResult | undefined> {
  const isFinal = hasCode(error, 'Invalid', 'Forbidden', 'AlreadyExists');
  const fault = { reason: isFinal ? 'TargetRefused' : 'TransferFailed', message: messageOf(error) };
  tried.set(migration.metadata.uid ?? '', { pass, fault });
  context.logger.warn({ migration: keyOf(migration), pass, error: fault.message }, 'a pass failed');
  // What it has come to is looked at, and dropped, before anything is said.
  if (live) return { requeueAfterMs: 0 };
  await sleep(context.clock, migration.status?.final === true ? FAILED_FINAL_MS : FAILED_MS, signal);
  const unsaid = { targetReport: { failedPass: pass, fault } };
  tried.set(migration.metadata.uid ?? '', { pass, fault, unsaid });
  return undefined;
}

/** What a live pass left behind goes, and only then it is said that nothing is there. */
async function clear(
  { context, tried }: State,
  { migration, container }: Pick<Pass, 'migration' | 'container'>,
  { pass, epoch }: Extract<TargetStep, { do: 'clear' }>,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { uid = '' } = migration.metadata;
  try {
    await context.host.dropTransfer(instanceNameOf(container), uid, signal);
  } catch (error) {
    if (signal.aborted || !hasCode(error, 'Conflict', 'Unavailable', 'Timeout', 'Internal')) throw error;
    // It runs after all, or the daemon is at it still: look again. What is dead is removed once its daemon can.
    if (!isDead(error)) return { requeueAfterMs: CLEAR_AGAIN_MS };
    context.logger.warn({ migration: keyOf(migration), error: messageOf(error) }, 'a copy cannot be removed');
  }
  const fault = tried.get(uid)?.fault ?? migration.status?.sourceReport?.fault ?? LOST;
  await report(context, migration, { failedPass: pass, clearedEpoch: epoch, fault }, signal);
  return {};
}

function isDead(error: unknown): boolean {
  return (
    error instanceof HostlerError && (error.details as { isDead?: boolean } | undefined)?.isDead === true
  );
}

const LOST = { reason: 'TransferFailed', message: 'The live pass was cut short' };

async function report(
  context: MigrationsContext,
  migration: Migration,
  targetReport: Partial<TargetReport>,
  signal: AbortSignal,
): Promise<void> {
  await writeReport(context, migration, { targetReport }, signal);
}
