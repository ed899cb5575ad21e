import { type Clock, sleep } from '../ports/clock.ts';
import { hasCode, HostlerError } from '../ports/errors.ts';
import type { Instance } from '../ports/host-driver.ts';
import type { Api } from './api.ts';
import { ACCESS_KEY, type Config, type Devices, INCOMING_KEY, markOf, SHARED } from './settings.ts';

/** An instance as the daemon shows it, its state, and the operations on it. */

/** `GET /1.0/instances/NAME`, as far as it is used. */
export interface InstanceView {
  name: string;
  status: string;
  created_at: string;
  last_used_at: string;
  architecture: string;
  config: Config;
  devices: Devices;
  profiles: string[];
  ephemeral: boolean;
  description: string;
}

interface OperationListView {
  id: string;
  resources: { instances?: string[] } | null;
}

/** What this daemon can do, by its API extensions. */
export interface Abilities {
  /** `instance_create_start`: one request creates and starts. */
  createStarts: boolean;
  /** `instance_auto_restart`: knows `boot.autorestart`. */
  autorestart: boolean;
  /** Its containers can move while they run. */
  live: boolean;
  /** `storage_pool_loop_resize`: a pool in a loop file can grow. */
  growsPools: boolean;
}

export interface InstanceContext {
  api: Api;
  clock: Clock;
  abilities: Abilities;
  operationTimeoutMs: number;
}

/** How long the daemon may clear up after an end, during which it says of the instance that it runs. */
export const CLEARING_POLL_MS = 100;
export const CLEARING_POLLS = 50;

const STATUS: Readonly<Record<string, Instance['status']>> = {
  Running: 'Running',
  Ready: 'Running',
  Stopped: 'Stopped',
  Frozen: 'Frozen',
  Freezing: 'Freezing',
  Error: 'Error',
};

export function pathOf(name: string): string {
  return `/1.0/instances/${encodeURIComponent(name)}`;
}

export function instanceOf(view: InstanceView): Instance {
  const mark = markOf(view.config);
  const imageFingerprint = view.config['volatile.base_image'];
  const incoming = view.config[INCOMING_KEY];
  const wasStarted = Date.parse(view.last_used_at) > 0;
  return {
    name: view.name,
    ...(mark === undefined ? {} : { mark }),
    ...(isRootShared(view) ? { isRootShared: true } : {}),
    ...(incoming === undefined ? {} : { incoming }),
    status: STATUS[view.status] ?? 'Busy',
    ...(imageFingerprint === undefined ? {} : { imageFingerprint }),
    createdAt: view.created_at,
    ...(wasStarted ? { lastStartedAt: view.last_used_at } : {}),
  };
}

/** Nothing that deletes may be asked of the daemon for such an instance. */
export function isRootShared({ config }: Pick<InstanceView, 'config'>): boolean {
  return config[ACCESS_KEY] === SHARED;
}

/** Waits for all that the daemon is doing with the instance, however that ends; gives up after `operationTimeoutMs`. */
export async function unfinishedOperations(
  { api, operationTimeoutMs }: InstanceContext,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const waits = (await operationsOn(api, name, signal)).map(({ id }) =>
    api.wait(`/1.0/operations/${id}`, operationTimeoutMs, signal),
  );
  await Promise.allSettled(waits);
}

/** What the daemon is doing with the instance now. */
export async function operationsOn(
  api: Api,
  name: string,
  signal: AbortSignal,
): Promise<OperationListView[]> {
  const path = '/1.0/operations?recursion=1';
  const lists = await api.get<Record<string, OperationListView[]>>(path, signal);
  return [...(lists['pending'] ?? []), ...(lists['running'] ?? [])].filter(
    ({ resources }) => resources?.instances?.includes(`/1.0/instances/${name}`) === true,
  );
}

interface StateChange {
  action: 'start' | 'stop' | 'freeze' | 'unfreeze';
  force?: boolean;
  /** Of a clean stop. */
  graceSeconds?: number;
}

export async function changeState(
  context: InstanceContext,
  name: string,
  { action, force = false, graceSeconds = -1 }: StateChange,
  signal: AbortSignal,
): Promise<void> {
  const timeoutMs = context.operationTimeoutMs + Math.max(0, graceSeconds * 1000);
  const body = { action, force, timeout: graceSeconds };
  const request = { method: 'PUT', path: `${pathOf(name)}/state`, body, timeoutMs } as const;
  const change = async (): Promise<void> => void (await context.api.change(request, signal));
  await (action === 'start' ? startedOrCleared(context, name, change, signal) : change());
}

/**
 * Runs `start`. While it clears up after a start that has failed, the daemon says of the instance that it runs: that failure
 * is told only once this is over, or after 5 s, so that nobody takes the instance for one that was started.
 */
export async function startedOrCleared(
  { api, clock }: InstanceContext,
  name: string,
  start: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await start();
  } catch (error) {
    if (!hasCode(error, 'Internal') || saysAlready(error, 'running')) throw error;
    for (let polls = 0; polls < CLEARING_POLLS; polls++) {
      if (await isDown(api, name, signal)) break;
      if (!(await sleep(clock, CLEARING_POLL_MS, signal))) break;
    }
    throw error;
  }
}

/** Whether an instance has neither a process nor anything to clear up; in between a daemon says Stopped, and Running again. */
async function isDown(api: Api, name: string, signal: AbortSignal): Promise<boolean> {
  const view = await api.find<InstanceView>(pathOf(name), signal);
  if (view === undefined) return true;
  return instanceOf(view).status === 'Stopped' && (await processOf(api, name, signal)) === 0;
}

/** @returns pid of the init, 0 when there is none, undefined while that cannot be told: it is coming or going */
export async function processOf(api: Api, name: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    return (await api.find<{ pid: number }>(`${pathOf(name)}/state`, signal))?.pid ?? 0;
  } catch (error) {
    if (hasCode(error, 'Internal')) return undefined;
    throw error;
  }
}

/**
 * Whether what the daemon says to run has a process. Incus 6.0 says so for ever of a copy whose restore has failed: a hook of its end
 * has begun a stop that is never over, until the daemon itself is started anew.
 */
export async function hasProcess(api: Api, name: string, signal: AbortSignal): Promise<boolean> {
  return ((await processOf(api, name, signal)) ?? 0) > 0;
}

/** Whether the daemon refused a change for the instance is in that state. */
export function saysAlready(error: unknown, state: 'running' | 'stopped'): boolean {
  return error instanceof HostlerError && new RegExp(`already ${state}|not running`).test(error.message);
}

/** @throws Conflict when it is an incoming copy: only ports/host-transfer deals with those */
export function refuseIncoming({ name, config }: Pick<InstanceView, 'name' | 'config'>): void {
  const incoming = config[INCOMING_KEY];
  if (incoming === undefined) return;
  throw new HostlerError('Conflict', `instance ${name} is the incoming copy of migration ${incoming}`);
}

/** @throws Forbidden unless the instance is ours, and that of `uid` where it is given */
export function requireMark({ name, config }: InstanceView, uid?: string): void {
  const mark = markOf(config);
  if (mark === undefined) throw new HostlerError('Forbidden', `instance ${name} is not one of ours`);
  if (uid !== undefined && mark.uid !== uid) {
    throw new HostlerError(
      'Forbidden',
      `instance ${name} belongs to another Container (${mark.namespace}/${mark.name})`,
    );
  }
}
