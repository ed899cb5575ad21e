import type { Clock } from '../ports/clock.ts';
import { HostlerError, hasCode } from '../ports/errors.ts';
import type { InstanceSpec } from '../ports/host-driver.ts';
import {
  type InstanceTransfers,
  LIVE_STORAGE_DRIVERS,
  type LiveObstacle,
  type LiveFact,
  type TransferEnd,
  type TransferOffer,
} from '../ports/host-transfer.ts';
import type { Api } from './api.ts';
import { isHalfMade, LAST_NOTE } from './creation.ts';
import type { ServerView } from './host.ts';
import {
  type InstanceContext,
  hasProcess,
  type InstanceView,
  operationsOn,
  pathOf,
  refuseIncoming,
  requireMark,
  unfinishedOperations,
} from './instance.ts';
import { isStillPending, restamped } from './pending.ts';
import { pathOf as poolPath, type PoolView } from './pools.ts';
import { createListeningCheck, transferFacts } from './listening.ts';
import { type PullContext, pullTransfer } from './pull.ts';
import type { TransferNetwork } from './relay.ts';
import {
  type Config,
  configOf,
  devicesOf,
  INCOMING_KEY,
  isMadeForLive,
  markOf,
  MOVED_KEY,
  PENDING_KEY,
  ROOT_DEVICE,
  withDaemonsOwn,
} from './settings.ts';

/** Moves between daemons, as both daemons' API has them (docs/design/0002-host-driver.md says what was measured). */
export interface TransferOptions {
  api: Api;
  clock: Clock;
  network: TransferNetwork | undefined;
  server(signal: AbortSignal): Promise<ServerView>;
  live(signal: AbortSignal): Promise<LiveFact>;
  context(signal: AbortSignal, spec?: InstanceSpec): Promise<InstanceContext>;
  /** What the root of an instance holds. @returns undefined where that cannot be found out */
  rootBytes(pool: string, name: string, signal: AbortSignal): Promise<number | undefined>;
  /** What the daemon reports of an instance meanwhile is our own doing. */
  whileChanging: <T>(name: string, run: () => Promise<T>) => Promise<T>;
  /** An instance is about to be stopped by a live move; or not any more. */
  onLeaving(name: string, isLeaving: boolean): void;
  /** Runs a call that may be repeated once more after a lost reply. */
  again: <T>(signal: AbortSignal, run: () => Promise<T>) => Promise<T>;
}

interface OperationView {
  id: string;
  metadata: Record<string, string>;
}

/** What the daemon at the source gave the instance, and the one at the target shall not make up anew. */
const CARRIED =
  /^(image\..*|raw\.lxc|user\.hostler\.pending|volatile\.(base_image|cloud-init\.instance-id|uuid|uuid\.generation|[^.]+\.hwaddr))$/;
const AWAIT_MS = 60_000;
const STOPPED_MS = 60_000;
const LOOK_MS = 100;

export function createTransfers(options: TransferOptions): InstanceTransfers {
  const { api, again } = options;
  const offers = new Map<string, { name: string; live: boolean }>();
  const requireListening = createListeningCheck(options);
  return {
    getTransferFacts: (signal) => again(signal, () => transferFacts(options, signal)),
    offerTransfer: async ({ name, uid }, { live, isToGoLive = false }, signal) => {
      const earlier = [...offers].filter(([, offer]) => offer.name === name);
      for (const [operation] of earlier) await cancel(api, operation, signal);
      for (const [operation] of earlier) offers.delete(operation);
      await requireListening(signal);
      const { offer, pool } = await makeOffer(options, { name, uid, live, isToGoLive }, signal);
      offers.set(offer.operation, { name, live });
      options.onLeaving(name, live);
      const totalBytes = await options.rootBytes(pool, name, signal);
      return totalBytes === undefined ? offer : { ...offer, totalBytes };
    },
    awaitTransfer: async (operation, signal) => {
      const end = await endOf(api, operation, signal);
      const offer = offers.get(operation);
      if (offer?.live === true && end.kind === 'Succeeded') await untilStopped(options, offer.name, signal);
      if (offer?.live === true && end.kind === 'Failed') options.onLeaving(offer.name, false);
      offers.delete(operation);
      return end;
    },
    cancelTransfer: (operation, signal) =>
      again(signal, async () => {
        await cancel(api, operation, signal);
        const offer = offers.get(operation);
        if (offer !== undefined) options.onLeaving(offer.name, false);
        offers.delete(operation);
      }),
    pullTransfer: async (request, onProgress, signal) => {
      const { clock, network } = options;
      const context: PullContext = { ...(await options.context(signal, request.spec)), clock, network };
      return options.whileChanging(request.spec.name, () =>
        pullTransfer(context, request, onProgress, signal),
      );
    },
    acceptTransfer: async (spec, migration, signal) => {
      await options.whileChanging(spec.name, () =>
        again(signal, async () => accept(await options.context(signal, spec), { spec, migration }, signal)),
      );
      options.onLeaving(spec.name, false);
    },
    dropTransfer: (name, migration, signal) =>
      again(signal, async () => drop(await options.context(signal), { name, migration }, signal)),
  };
}

async function makeOffer(
  options: TransferOptions,
  { name, uid, live, isToGoLive }: { name: string; uid: string; live: boolean; isToGoLive: boolean },
  signal: AbortSignal,
): Promise<{ offer: TransferOffer; pool: string }> {
  const { api } = options;
  const view = await api.get<InstanceView>(pathOf(name), signal);
  requireMark(view, uid);
  refuseIncoming(view);
  const obstacle = live || isToGoLive ? await liveObstacle(options, view, signal) : undefined;
  if (live && obstacle !== undefined) throw new HostlerError(obstacle.code, obstacle.message);
  const body = { migration: true, live, instance_only: true, allow_inconsistent: !live };
  const operation = await api.post<OperationView>(pathOf(name), body, signal);
  const carried = Object.fromEntries(Object.entries(view.config).filter(([key]) => CARRIED.test(key)));
  const offer: TransferOffer = {
    operation: `/1.0/operations/${operation.id}`,
    secrets: operation.metadata,
    architecture: view.architecture,
    carried,
    ...(obstacle === undefined
      ? {}
      : { liveObstacle: { reason: obstacle.reason, message: obstacle.message } }),
  };
  return { offer, pool: view.devices[ROOT_DEVICE]?.['pool'] ?? '' };
}

/** @returns why a live offer of the instance is refused; `code` as it is thrown then */
async function liveObstacle(
  options: TransferOptions,
  view: InstanceView,
  signal: AbortSignal,
): Promise<(LiveObstacle & { code: 'Conflict' | 'Invalid' }) | undefined> {
  const { name, config, devices, status } = view;
  const fact = await options.live(signal);
  if (!fact.possible) return { code: 'Invalid', reason: fact.reason, message: fact.message };
  if (status !== 'Running') {
    return { code: 'Conflict', reason: 'NotRunning', message: `instance ${name} does not run` };
  }
  const hasDisks = Object.entries(devices).some(
    ([device, { type }]) => type === 'disk' && device !== ROOT_DEVICE,
  );
  if (hasDisks) {
    const message = `instance ${name} has volumes, which criu cannot restore`;
    return { code: 'Invalid', reason: 'Volumes', message };
  }
  const pool = await options.api.get<PoolView>(poolPath(devices[ROOT_DEVICE]?.['pool'] ?? ''), signal);
  if (!LIVE_STORAGE_DRIVERS.includes(pool.driver)) {
    const message = `a live move needs a root on ${LIVE_STORAGE_DRIVERS.join(' or ')}: pool ${pool.name} is ${pool.driver}`;
    return { code: 'Invalid', reason: 'StorageDriver', message };
  }
  if (isMadeForLive(config) && !isStillPending(config[PENDING_KEY], 'raw.lxc', view.last_used_at)) {
    return undefined;
  }
  const message = `instance ${name} was started without the settings that a live move needs: restart it once, with a migration policy that is Live or LiveIfPossible`;
  return { code: 'Conflict', reason: 'NeedsRestart', message };
}

async function endOf(api: Api, operation: string, signal: AbortSignal): Promise<TransferEnd> {
  for (;;) {
    try {
      await api.wait(operation, AWAIT_MS, signal);
      return { kind: 'Succeeded' };
    } catch (error) {
      if (signal.aborted) throw error;
      if (hasCode(error, 'Timeout')) continue;
      if (hasCode(error, 'Unavailable')) {
        if ((await api.find(operation, signal)) === undefined) return { kind: 'Unknown' };
        throw error;
      }
      return { kind: 'Failed', message: error instanceof Error ? error.message : String(error) };
    }
  }
}

/**
 * A second or two after the operation the daemon's hooks have run. Before that it may say Stopped, since criu has taken the
 * processes, and Running again; but this note comes last.
 */
async function untilStopped(
  { api, clock }: TransferOptions,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + STOPPED_MS;
  while (clock.monotonicMs() < deadlineMs) {
    const view = await api.find<InstanceView>(pathOf(name), signal);
    if (view === undefined) return;
    if (view.status === 'Stopped' && view.config['volatile.last_state.power'] !== 'RUNNING') return;
    await new Promise<void>((resolve) => void clock.schedule(LOOK_MS, resolve));
  }
  throw new HostlerError('Timeout', `instance ${name} has moved, but is not stopped here yet`);
}

async function cancel(api: Api, operation: string, signal: AbortSignal): Promise<void> {
  try {
    await api.change({ method: 'DELETE', path: operation }, signal);
  } catch (error) {
    // It has ended, or the daemon has forgotten it.
    const hasEnded = error instanceof HostlerError && /Only running operations/.test(error.message);
    if (!hasEnded && !hasCode(error, 'NotFound')) throw error;
  }
}

async function accept(
  context: InstanceContext,
  { spec, migration }: { spec: InstanceSpec; migration: string },
  signal: AbortSignal,
): Promise<void> {
  const { api, abilities } = context;
  const path = pathOf(spec.name);
  const found = await api.findTagged<InstanceView>(path, signal);
  if (found === undefined)
    throw new HostlerError('NotFound', `there is no instance ${spec.name} on the host`);
  const { value: view, etag } = found;
  requireMark(view, spec.mark.uid);
  if (!(INCOMING_KEY in view.config) && MOVED_KEY in view.config) return;
  requireIncoming(view, migration);
  const isRunning = view.status === 'Running';
  // What was restored here, and was cut off from its power since, is whole too.
  if (isHalfMade(view)) {
    throw new HostlerError('Conflict', `no pass of instance ${spec.name} was completed`);
  }
  const live = abilities.live || isMadeForLive(view.config);
  const pending = isRunning ? restamped(view.config[PENDING_KEY], view.last_used_at) : undefined;
  const desired: Config = {
    ...configOf(spec, { ...abilities, live }),
    [MOVED_KEY]: 'true',
    ...(pending === undefined ? {} : { [PENDING_KEY]: pending }),
  };
  // It is the same container as before: the templates for new copies are not for it.
  const { [LAST_NOTE]: _, ...config } = withDaemonsOwn(desired, view.config);
  const { architecture, profiles, ephemeral, description } = view;
  const body = { architecture, profiles, ephemeral, description, config, devices: devicesOf(spec) };
  try {
    await api.change({ method: 'PUT', path, body, etag }, signal);
  } catch (error) {
    // One whose answer was lost was in the way of this one.
    if (!hasCode(error, 'Conflict', 'Internal')) throw error;
    await unfinishedOperations(context, spec.name, signal);
    const after = await api.get<InstanceView>(path, signal);
    if (INCOMING_KEY in after.config) throw error;
  }
}

async function drop(
  context: InstanceContext,
  { name, migration }: { name: string; migration: string },
  signal: AbortSignal,
): Promise<void> {
  const { api } = context;
  const path = pathOf(name);
  await unfinishedOperations(context, name, signal);
  // Looked at first: while anything is under way, a restore may be.
  const isIdle = (await operationsOn(api, name, signal)).length === 0;
  const view = await api.find<InstanceView>(path, signal);
  if (view === undefined) return;
  requireIncoming(view, migration);
  const isRunning = view.status === 'Running';
  if (isRunning && isIdle && !(await hasProcess(api, name, signal))) throw stuck(name);
  if (view.status !== 'Stopped')
    throw new HostlerError('Conflict', `instance ${name} is ${view.status.toLowerCase()}`);
  try {
    await api.change({ method: 'DELETE', path }, signal);
  } catch (error) {
    if (!hasCode(error, 'NotFound')) throw error;
  }
}

function stuck(name: string): HostlerError {
  const message = `the daemon does not let go of instance ${name}, which could not be restored: restart the daemon`;
  return new HostlerError('Conflict', message, { details: { isDead: true } });
}

function requireIncoming({ name, config }: InstanceView, migration: string): void {
  if (markOf(config) !== undefined && config[INCOMING_KEY] === migration) return;
  throw new HostlerError('Conflict', `instance ${name} is no incoming copy of migration ${migration}`);
}
