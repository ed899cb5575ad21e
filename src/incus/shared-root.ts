import { HostlerError, hasCode, messageOf } from '../ports/errors.ts';
import type { InstanceSpec, SharedRoot } from '../ports/host-driver.ts';
import type { Api } from './api.ts';
import { type InstanceView, isRootShared, pathOf as instancePath, requireMark } from './instance.ts';
import { pathOf as poolPath, type PoolView, UID } from './pools.ts';
import { ACCESS_KEY, markOf, SHARED } from './settings.ts';

/**
 * Roots on shared storage. Each has a `dir` pool of its own over its own folder, since the daemon's import takes all that a
 * pool has, and its deletion of a pool takes away the folder, whoever else uses it. Hence the daemon is never asked to delete
 * one: it is made to forget it, in its own database. Both ways go through the daemon's internal API, which Incus 6.0
 * and LXD 5.0 share and answer on their unix socket only. Nothing here locks a root: that no other host uses it is the caller's to know.
 */

/** What may stand in a query between quotes. */
const PLAIN = /^[A-Za-z0-9-]+$/;

interface Validation {
  UnknownVolumes: { name: string; type: string; pool: string }[] | null;
  DependencyErrors: string[] | null;
}

/** Makes the pool of one instance over its empty folder, where the root is on shared storage. Idempotent. */
export async function ensureRootPool(
  api: Api,
  { rootPool: name, rootSource: source, mark }: InstanceSpec,
  signal: AbortSignal,
): Promise<void> {
  if (source === undefined) return;
  if ((await findPool(api, { pool: name, uid: mark.uid }, signal)) !== undefined) return;
  const body = { name, driver: 'dir', config: poolConfig(mark.uid, source) };
  try {
    await api.change({ method: 'POST', path: '/1.0/storage-pools', body }, signal);
  } catch (error) {
    if (!hasCode(error, 'AlreadyExists')) throw error;
  }
}

export async function recoverInstance(api: Api, root: SharedRoot, signal: AbortSignal): Promise<void> {
  const { name, uid, pool, source } = root;
  if ((await findInstance(api, root, signal)) !== undefined) return;
  await findPool(api, root, signal);
  const pools = [{ name: pool, driver: 'dir', config: poolConfig(uid, source) }];
  const found = await internal<Validation>(api, '/internal/recover/validate', { pools }, signal);
  const unknown = found.UnknownVolumes ?? [];
  const others = unknown.filter((volume) => volume.type !== 'container' || volume.name !== name);
  if (others.length > 0) {
    const names = others.map((volume) => `${volume.type} ${volume.name}`).join(', ');
    throw new HostlerError('Invalid', `${source} holds more than instance ${name}: ${names}`);
  }
  if (unknown.length === 0) throw new HostlerError('NotFound', `there is no instance ${name} in ${source}`);
  if ((found.DependencyErrors ?? []).length > 0) {
    throw new HostlerError('Invalid', `instance ${name} wants ${(found.DependencyErrors ?? []).join('; ')}`);
  }
  await internal(api, '/internal/recover/import', { pools }, signal);
  if ((await findInstance(api, root, signal)) === undefined) {
    throw new HostlerError('Internal', `the daemon has not imported instance ${name} from ${source}`);
  }
}

export async function forgetInstance(
  api: Api,
  root: Omit<SharedRoot, 'source'>,
  signal: AbortSignal,
): Promise<void> {
  const { name, pool } = root;
  const view = await findInstance(api, root, signal);
  if (view !== undefined && view.status !== 'Stopped') {
    throw new HostlerError('Conflict', `instance ${name} is ${view.status.toLowerCase()}`);
  }
  const isPoolKnown = (await findPool(api, root, signal)) !== undefined;
  if (view === undefined && !isPoolKnown) return;
  // Rows of other tables hang on these and go with them. Safe to repeat from any point.
  const query = [
    ...(view === undefined
      ? []
      : [`DELETE FROM instances WHERE name=${quoted(name)} AND ${IN_DEFAULT_PROJECT}`]),
    `DELETE FROM storage_volumes WHERE storage_pool_id=(SELECT id FROM storage_pools WHERE name=${quoted(pool)})`,
    `DELETE FROM storage_pools WHERE name=${quoted(pool)}`,
  ].join('; ');
  await internal(api, '/internal/sql', { database: 'global', query }, signal);
}

/** What a daemon says of an instance whose volume is missing from its database. */
const LACKS_VOLUME = /Instance storage pool not found/;

/**
 * A daemon that lost its power while it recovered the root may know the instance without its volume, and then neither starts nor changes
 * it: such a one is forgotten and recovered once more. It has the settings then that stand beside its root, which may be older.
 * @throws `error`, which a change of the instance has failed with, when it is about something else
 */
export async function recoverOnceMore(
  api: Api,
  name: string,
  error: unknown,
  signal: AbortSignal,
): Promise<void> {
  if (!LACKS_VOLUME.test(messageOf(error))) throw error;
  const view = await api.find<InstanceView>(instancePath(name), signal);
  const pool = view?.devices['root']?.['pool'];
  const uid = view === undefined ? undefined : markOf(view.config)?.uid;
  if (view === undefined || pool === undefined || uid === undefined || !isRootShared(view)) throw error;
  const source = (await findPool(api, { pool, uid }, signal))?.config['source'];
  if (source === undefined) throw error;
  const root = { name, uid, pool, source };
  await forgetInstance(api, root, signal);
  await recoverInstance(api, root, signal);
}

const IN_DEFAULT_PROJECT = "project_id=(SELECT id FROM projects WHERE name='default')";

/** @throws AlreadyExists or Forbidden when it is there, but not this one */
async function findInstance(
  api: Api,
  { name, uid, pool }: Omit<SharedRoot, 'source'>,
  signal: AbortSignal,
): Promise<InstanceView | undefined> {
  const view = await api.find<InstanceView>(instancePath(name), signal);
  if (view === undefined) return undefined;
  requireMark(view, uid);
  if (isRootShared(view) && view.devices['root']?.['pool'] === pool) return view;
  throw new HostlerError('Forbidden', `the root of instance ${name} is not on shared storage`);
}

/** @throws Forbidden when there is another pool of that name */
async function findPool(
  api: Api,
  { pool, uid }: { pool: string; uid: string },
  signal: AbortSignal,
): Promise<PoolView | undefined> {
  const view = await api.find<PoolView>(poolPath(pool), signal);
  if (view === undefined || (view.config[UID] === uid && view.config[ACCESS_KEY] === SHARED)) return view;
  throw new HostlerError('Forbidden', `storage pool ${pool} is not the one of this instance`);
}

function poolConfig(uid: string, source: string): Record<string, string> {
  return { source, [UID]: uid, [ACCESS_KEY]: SHARED };
}

async function internal<T>(api: Api, path: string, body: object, signal: AbortSignal): Promise<T> {
  try {
    return await api.post<T>(path, body, signal);
  } catch (error) {
    if (!hasCode(error, 'Forbidden')) throw error;
    const message =
      "roots on shared storage need the daemon's unix socket: its HTTPS port does not offer this";
    throw new HostlerError('Forbidden', message, { cause: error });
  }
}

function quoted(text: string): string {
  if (!PLAIN.test(text)) throw new HostlerError('Invalid', `${JSON.stringify(text)} is no name`);
  return `'${text}'`;
}
