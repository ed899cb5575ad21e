import { HostlerError, hasCode } from '../ports/errors.ts';
import type { InstanceSpec } from '../ports/host-driver.ts';
import { ensureRootPool } from './shared-root.ts';
import { isLostReply } from './faults.ts';
import {
  changeState,
  type InstanceContext,
  isRootShared,
  type InstanceView,
  pathOf,
  refuseIncoming,
  startedOrCleared,
  unfinishedOperations,
} from './instance.ts';
import {
  type Config,
  configOf,
  type Devices,
  devicesOf,
  markOf,
  MOVED_KEY,
  withoutDaemonsOwn,
} from './settings.ts';

/**
 * The making of an instance, to its end. A daemon that is killed on the way leaves an instance behind that looks like a
 * stopped one and can never be started, since its root is incomplete. It is told from a complete one by what both daemons
 * write last: the note that the templates are to be applied at the first start.
 */
export const LAST_NOTE = 'volatile.apply_template';

interface Creation {
  name: string;
  config: Config;
  devices: Devices;
  fingerprint: string;
}

/**
 * Half-made instances have never run: nothing is lost with them. One on shared storage, or that has moved here, is never taken for
 * such: it may have run elsewhere, of which this daemon's notes say nothing.
 */
export function isHalfMade({ status, config, last_used_at: lastUsedAt }: InstanceView): boolean {
  if (isRootShared({ config }) || MOVED_KEY in config) return false;
  const wasStarted = Date.parse(lastUsedAt) > 0;
  return status === 'Stopped' && !wasStarted && !(LAST_NOTE in config);
}

/**
 * Creates first and asks afterwards: the usual case is one request. An instance of the same uid is what an earlier
 * attempt, whose answer was lost, has begun.
 */
export async function createInstance(
  context: InstanceContext,
  spec: InstanceSpec,
  { start }: { start: boolean },
  signal: AbortSignal,
): Promise<void> {
  const creation = {
    name: spec.name,
    config: configOf(spec, context.abilities),
    devices: devicesOf(spec),
    fingerprint: spec.imageFingerprint,
  };
  await ensureRootPool(context.api, spec, signal);
  try {
    await create(context, creation, { start }, signal);
  } catch (error) {
    // Conflict: LXD's word for a creation that is under way.
    if (!hasCode(error, 'AlreadyExists', 'Conflict') && !isLostReply(error)) throw error;
    await unfinishedOperations(context, spec.name, signal);
    const seen = await context.api.find<InstanceView>(pathOf(spec.name), signal);
    if (seen === undefined) throw error;
    if (markOf(seen.config)?.uid !== spec.mark.uid) {
      const message = `there is another instance ${spec.name} on the host`;
      throw new HostlerError('AlreadyExists', message, { cause: error });
    }
    refuseIncoming(seen);
    await finishCreation(context, spec.name, { start }, signal);
  }
}

/**
 * Waits for a creation that is under way, or makes a half-made instance anew from its own settings.
 * @throws Unavailable when the creation has failed, and taken away what it had begun
 */
export async function finishCreation(
  context: InstanceContext,
  name: string,
  { start }: { start: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { api } = context;
  await unfinishedOperations(context, name, signal);
  const view = await api.find<InstanceView>(pathOf(name), signal);
  if (view === undefined)
    throw new HostlerError('Unavailable', `the creation of instance ${name} has failed`);
  if (isHalfMade(view)) {
    const fingerprint = view.config['volatile.base_image'] ?? '';
    const creation = { name, config: withoutDaemonsOwn(view.config), devices: view.devices, fingerprint };
    await api.change({ method: 'DELETE', path: pathOf(name) }, signal);
    await create(context, creation, { start }, signal);
    return;
  }
  if (start && view.status === 'Stopped') await changeState(context, name, { action: 'start' }, signal);
}

async function create(
  context: InstanceContext,
  { name, config, devices, fingerprint }: Creation,
  { start }: { start: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { api, abilities } = context;
  const startsToo = start && abilities.createStarts;
  const source = { type: 'image', fingerprint };
  const settings = { name, type: 'container', profiles: [], config, devices, source };
  const body = startsToo ? { ...settings, start: true } : settings;
  const request = { method: 'POST', path: '/1.0/instances', body } as const;
  const make = async (): Promise<void> => void (await api.change(request, signal));
  await (startsToo ? startedOrCleared(context, name, make, signal) : make());
  if (start && !abilities.createStarts) await changeState(context, name, { action: 'start' }, signal);
}
