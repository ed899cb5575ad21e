import { HostlerError, hasCode } from '../ports/errors.ts';
import type { Instance, InstanceSpec } from '../ports/host-driver.ts';
import type { Api } from './api.ts';
import { finishCreation, isHalfMade } from './creation.ts';
import { globalAddresses, ipv4First } from './host.ts';
import {
  changeState,
  type InstanceContext,
  instanceOf,
  type InstanceView,
  isRootShared,
  pathOf,
  refuseIncoming,
  hasProcess,
  requireMark,
  saysAlready,
  unfinishedOperations,
} from './instance.ts';
import { pendingAfter } from './pending.ts';
import {
  ACCESS_KEY,
  type Config,
  configOf,
  devicesOf,
  isMadeForLive,
  MOVED_KEY,
  PENDING_KEY,
  SHARED,
  ROOT_DEVICE,
  withDaemonsOwn,
} from './settings.ts';
import { recoverOnceMore } from './shared-root.ts';

/**
 * Instances: observed before they are changed, and only ever changed when they carry our mark. Each function may be
 * repeated after a lost reply.
 */

const CLEARING_UP_MS = 1_000;
const YOUNG_MS = 10_000;
const FIRST_PART_MS = 1_000;

interface InstanceStateView {
  network: Record<string, { addresses: { address: string; scope: string }[] }> | null;
}

export async function listInstances(api: Api, signal: AbortSignal): Promise<Instance[]> {
  const views = await api.get<InstanceView[]>('/1.0/instances?recursion=1', signal);
  return views.map(instanceOf).filter(({ mark }) => mark !== undefined);
}

export async function getInstance(
  api: Api,
  name: string,
  signal: AbortSignal,
): Promise<Instance | undefined> {
  const view = await api.find<InstanceView>(pathOf(name), signal);
  if (view === undefined) return undefined;
  const instance = instanceOf(view);
  const isRestored = instance.incoming !== undefined && instance.status === 'Running';
  if (isRestored && !(await hasProcess(api, name, signal))) return { ...instance, status: 'Busy' };
  return instance;
}

export async function getAddresses(api: Api, name: string, signal: AbortSignal): Promise<string[]> {
  const state = await api.find<InstanceStateView>(`${pathOf(name)}/state`, signal);
  const interfaces = Object.entries(state?.network ?? {}).filter(([device]) => device !== 'lo');
  return ipv4First(interfaces.flatMap(([, { addresses }]) => globalAddresses(addresses)));
}

/** Changes nothing when all is as it should be already. */
export async function updateInstance(
  context: InstanceContext,
  spec: InstanceSpec,
  signal: AbortSignal,
): Promise<{ restartRequired: string[] }> {
  try {
    return await update(context, spec, signal);
  } catch (error) {
    await recoverOnceMore(context.api, spec.name, error, signal);
    return await update(context, spec, signal);
  }
}

async function update(
  { api, abilities }: InstanceContext,
  spec: InstanceSpec,
  signal: AbortSignal,
): Promise<{ restartRequired: string[] }> {
  const path = pathOf(spec.name);
  const found = await api.findTagged<InstanceView>(path, signal);
  if (found === undefined) throw notFound(spec.name);
  const { value: view, etag } = found;
  requireMark(view, spec.mark.uid);
  refuseIncoming(view);
  const access: Config = isRootShared(view) ? { [ACCESS_KEY]: SHARED } : {};
  const moved: Config = MOVED_KEY in view.config ? { [MOVED_KEY]: 'true' } : {};
  // What is made for it stays so, even if the host is not capable of it just now.
  const live = abilities.live || isMadeForLive(view.config);
  const desired = { ...configOf(spec, { ...abilities, live }), ...access, ...moved };
  const running = view.status !== 'Stopped';
  const pending = running
    ? pendingAfter(view.config, desired, view.last_used_at)
    : { note: undefined, keys: [] };
  const noted = pending.note === undefined ? desired : { ...desired, [PENDING_KEY]: pending.note };
  const config = withDaemonsOwn(noted, view.config);
  const devices = devicesOf(spec);
  if (sameDeep(config, view.config) && sameDeep(devices, view.devices)) {
    return { restartRequired: [...pending.keys, ...pendingRoot(view, running)] };
  }
  const { architecture, profiles, ephemeral, description } = view;
  const body = { architecture, profiles, ephemeral, description, config, devices };
  await api.change({ method: 'PUT', path, body, etag }, signal);
  // Only with another size of the root there can be a note about it that was not there before.
  const isRootSame = sameDeep(devices[ROOT_DEVICE] ?? {}, view.devices[ROOT_DEVICE] ?? {});
  const after = running && !isRootSame ? await api.get<InstanceView>(path, signal) : view;
  return { restartRequired: [...pending.keys, ...pendingRoot(after, running)] };
}

/**
 * Also ends a creation that was left undone.
 * @throws Conflict while the daemon clears up after an end: it says then that the instance runs; or when the root had to be recovered
 * once more: nothing was started
 */
export async function startInstance(
  context: InstanceContext,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await start(context, name, signal);
  } catch (error) {
    await recoverOnceMore(context.api, name, error, signal);
    // Whether it may be started now, and with which settings, is to be decided anew.
    throw new HostlerError('Conflict', `the root of instance ${name} had to be recovered once more`);
  }
}

async function start(context: InstanceContext, name: string, signal: AbortSignal): Promise<void> {
  const view = await context.api.find<InstanceView>(pathOf(name), signal);
  if (view === undefined) throw notFound(name);
  requireMark(view);
  refuseIncoming(view);
  const { status } = instanceOf(view);
  if (status === 'Running') return await requireProcess(context.api, name, signal);
  if (status === 'Freezing') {
    // Whoever is at it just now is let finish.
    await unfinishedOperations(context, name, signal);
    return await thaw(context, name, signal);
  }
  if (isHalfMade(view)) return finishCreation(context, name, { start: true }, signal);
  try {
    await changeState(context, name, { action: status === 'Frozen' ? 'unfreeze' : 'start' }, signal);
  } catch (error) {
    if (!saysAlready(error, 'running')) throw error;
  }
}

async function requireProcess(api: Api, name: string, signal: AbortSignal): Promise<void> {
  if (await hasProcess(api, name, signal)) return;
  throw new HostlerError('Conflict', `instance ${name} has ended, and the daemon is clearing up`);
}

/** A daemon unfreezes only what is wholly frozen. */
async function thaw(context: InstanceContext, name: string, signal: AbortSignal): Promise<void> {
  const view = await context.api.find<InstanceView>(pathOf(name), signal);
  if (view?.status === 'Freezing') await changeState(context, name, { action: 'freeze' }, signal);
  else if (view?.status !== 'Frozen') return;
  await changeState(context, name, { action: 'unfreeze' }, signal);
}

export async function stopInstance(
  context: InstanceContext,
  name: string,
  graceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const view = await context.api.find<InstanceView>(pathOf(name), signal);
  if (view === undefined) return;
  requireMark(view);
  if (view.status === 'Stopped') return;
  // What is frozen neither ends by itself nor can be killed.
  if (view.status === 'Frozen' || view.status === 'Freezing') await thaw(context, name, signal);
  for (const partMs of partsOfGrace(graceMs, context.clock.nowMs() - Date.parse(view.last_used_at))) {
    if (await stopsCleanly(context, name, partMs, signal)) return;
  }
  await stopped(changeState(context, name, { action: 'stop', force: true }, signal));
}

export async function deleteInstance(
  context: InstanceContext,
  name: string,
  uid: string,
  signal: AbortSignal,
): Promise<void> {
  const { api } = context;
  const view = await api.find<InstanceView>(pathOf(name), signal);
  if (view === undefined) return;
  requireMark(view, uid);
  refuseIncoming(view);
  if (isRootShared(view)) {
    throw new HostlerError(
      'Forbidden',
      `the root of instance ${name} is on shared storage: it is never deleted from a host`,
    );
  }
  if (view.status !== 'Stopped') {
    throw new HostlerError('Conflict', `instance ${name} is ${view.status.toLowerCase()}`);
  }
  const remove = async (): Promise<void> => {
    try {
      await api.change({ method: 'DELETE', path: pathOf(name) }, signal);
    } catch (error) {
      if (!hasCode(error, 'NotFound')) throw error;
    }
  };
  try {
    await remove();
  } catch (error) {
    // A stop or deletion whose answer was lost may still be under way: then this one was in its way, or it in ours.
    if (!hasCode(error, 'Internal', 'Conflict')) throw error;
    await unfinishedOperations(context, name, signal);
    await remove();
  }
}

/** What was started just now may not listen yet, and never hears what it was told before: it is told again. */
function partsOfGrace(graceMs: number, ageMs: number): number[] {
  const isYoung = ageMs < YOUNG_MS && graceMs > FIRST_PART_MS;
  return (isYoung ? [FIRST_PART_MS, graceMs - FIRST_PART_MS] : [graceMs]).filter((partMs) => partMs > 0);
}

/**
 * The daemon's time includes its own clearing up, half a second and more after the last process has ended. Forced in the midst of
 * that, it waits for its hooks, which wait for it, for five seconds.
 * @returns false when it has not ended by itself in time, or cannot
 */
async function stopsCleanly(
  context: InstanceContext,
  name: string,
  graceMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const graceSeconds = Math.ceil((graceMs + CLEARING_UP_MS) / 1000);
  try {
    await stopped(changeState(context, name, { action: 'stop', graceSeconds }, signal));
    return true;
  } catch (error) {
    // The daemon has answered, and the answer was no: what remains is force.
    if (hasCode(error, 'Internal', 'Invalid', 'Timeout')) return false;
    throw error;
  }
}

/** A stop of what has ended in the meantime, or is gone, has succeeded. */
async function stopped(stop: Promise<void>): Promise<void> {
  try {
    await stop;
  } catch (error) {
    if (!saysAlready(error, 'stopped') && !hasCode(error, 'NotFound')) throw error;
  }
}

/** A quota that the pool cannot change while the root is in use is noted by the daemon, and applied at the next start. */
function pendingRoot({ config }: InstanceView, running: boolean): string[] {
  return running && `volatile.${ROOT_DEVICE}.apply_quota` in config ? ['resources.disk'] : [];
}

function notFound(name: string): HostlerError {
  return new HostlerError('NotFound', `there is no instance ${name} on the host`);
}

function sameDeep(a: object, b: object): boolean {
  const text = (value: object): string =>
    JSON.stringify(
      Object.entries(value)
        .map(([key, it]: [string, unknown]) => [key, typeof it === 'object' && it !== null ? text(it) : it])
        .sort(([x], [y]) => (String(x) < String(y) ? -1 : 1)),
    );
  return text(a) === text(b);
}
