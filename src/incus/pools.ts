import { HostlerError, hasCode } from '../ports/errors.ts';
import type { HostPool, PoolSpec } from '../ports/host-driver.ts';
import type { Api } from './api.ts';
import type { Abilities } from './instance.ts';
import { ACCESS_KEY, type Config, SHARED } from './settings.ts';

/** Storage pools of the daemon. Ours carry the uid of their StoragePool and the list of keys that it has set. */

export const UID = 'user.hostler.uid';
/** So that a key that is taken out of the spec is taken out of the pool, and the daemon's own keys are left alone. */
const KEYS = 'user.hostler.keys';
/**
 * Where nobody says otherwise. Between pools of this driver rsync carries the files: compressed, by the daemon's default, which takes
 * more time than a network of 1 Gbit/s and more.
 */
const DEFAULTS: Record<string, Config> = { dir: { 'rsync.compression': 'false' } };
const RESERVED = /^(user\.hostler\.|volatile\.|source$|size$)/;

export interface PoolView {
  name: string;
  driver: string;
  status: string;
  config: Config;
  used_by: string[] | null;
}

interface PoolResourcesView {
  space?: { used?: number; total?: number };
}

export async function listPools(api: Api, signal: AbortSignal): Promise<HostPool[]> {
  // A daemon without any pool answers null.
  const views = (await api.get<PoolView[] | null>('/1.0/storage-pools?recursion=1', signal)) ?? [];
  return Promise.all(views.map((view) => poolOf(api, view, signal)));
}

/** @param abilities what the daemon does not know it would accept and ignore */
export async function ensurePool(
  { api, abilities }: { api: Api; abilities: Abilities },
  spec: PoolSpec,
  signal: AbortSignal,
): Promise<void> {
  const reserved = Object.keys(spec.config).find((key) => RESERVED.test(key));
  if (reserved !== undefined) throw new HostlerError('Invalid', `pool config key ${reserved} cannot be set`);
  const found = await api.find<PoolView>(pathOf(spec.name), signal);
  if (found !== undefined) return changePool({ api, abilities }, found, spec, signal);
  const { name, driver } = spec;
  try {
    await api.change(
      { method: 'POST', path: '/1.0/storage-pools', body: { name, driver, config: configOf(spec) } },
      signal,
    );
  } catch (error) {
    if (!hasCode(error, 'AlreadyExists')) throw error;
    await changePool({ api, abilities }, await api.get<PoolView>(pathOf(name), signal), spec, signal);
  }
}

export async function deletePool(api: Api, name: string, uid: string, signal: AbortSignal): Promise<void> {
  const view = await api.find<PoolView>(pathOf(name), signal);
  if (view === undefined) return;
  if (view.config[UID] !== uid) throw new HostlerError('Forbidden', `storage pool ${name} is not ours`);
  if (view.config[ACCESS_KEY] === SHARED) {
    throw new HostlerError(
      'Forbidden',
      `storage pool ${name} is on shared storage: it is never deleted from a host`,
    );
  }
  try {
    await api.change({ method: 'DELETE', path: pathOf(name) }, signal);
  } catch (error) {
    if (!hasCode(error, 'NotFound')) throw error;
  }
}

async function changePool(
  { api, abilities }: { api: Api; abilities: Abilities },
  view: PoolView,
  spec: PoolSpec,
  signal: AbortSignal,
): Promise<void> {
  if (view.config[UID] !== spec.uid) {
    throw new HostlerError('AlreadyExists', `there is another storage pool ${spec.name} on the host`);
  }
  if (view.driver !== spec.driver) {
    throw new HostlerError(
      'Invalid',
      `storage pool ${spec.name} has driver ${view.driver}: it cannot be changed`,
    );
  }
  const desired = configOf(spec);
  // The daemon writes down where it really is (`/pools/a` for a device, say): the source is only looked at on creation.
  delete desired['source'];
  if (desired['size'] !== undefined && sameSize(desired['size'], view.config['size'])) delete desired['size'];
  else checkGrowth(view, spec, abilities);
  const before = (view.config[KEYS] ?? '').split(',').filter((key) => key !== '');
  const dropped = before.filter((key) => !(key in spec.config));
  // The daemon keeps no key whose value is empty.
  const differs = Object.entries(desired).some(([key, value]) => (view.config[key] ?? '') !== value);
  if (!differs && dropped.length === 0) return;
  const config: Record<string, string> = { ...view.config, ...desired };
  for (const key of dropped) if (!(key in desired)) delete config[key];
  await api.change({ method: 'PUT', path: pathOf(spec.name), body: { config } }, signal);
}

function checkGrowth(view: PoolView, spec: PoolSpec, { growsPools }: Abilities): void {
  if (spec.sizeBytes === undefined || view.config['size'] === undefined) return;
  const sizeBytes = parseSize(view.config['size']);
  if (sizeBytes !== undefined && spec.sizeBytes < sizeBytes) {
    throw new HostlerError(
      'Invalid',
      `storage pool ${spec.name} cannot shrink (from ${view.config['size']})`,
    );
  }
  if (growsPools) return;
  throw new HostlerError('Invalid', `storage pool ${spec.name} cannot grow: this daemon cannot do it`);
}

function configOf(spec: PoolSpec): Record<string, string> {
  return {
    ...DEFAULTS[spec.driver],
    ...spec.config,
    ...(spec.source === undefined ? {} : { source: spec.source }),
    ...(spec.sizeBytes === undefined ? {} : { size: `${spec.sizeBytes}B` }),
    [UID]: spec.uid,
    [KEYS]: Object.keys(spec.config).sort().join(','),
  };
}

/** The daemon keeps sizes as they were given to it: `400MiB`, `5GB`, `1024B`. */
function parseSize(text: string): number | undefined {
  const [, digits, unit = 'B'] = /^(\d+)\s*([kKMGTPE]i?B|B)?$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const power = 'BKMGTPE'.indexOf(unit[0]?.toUpperCase() ?? 'B');
  return Number(digits) * (unit.includes('i') ? 1024 : 1000) ** power;
}

function sameSize(desired: string, current: string | undefined): boolean {
  return current !== undefined && parseSize(desired) === parseSize(current);
}

async function poolOf(api: Api, view: PoolView, signal: AbortSignal): Promise<HostPool> {
  const uid = view.config[UID];
  const usable = view.status === 'Created';
  const space = usable
    ? (await api.find<PoolResourcesView>(`${pathOf(view.name)}/resources`, signal))?.space
    : undefined;
  return {
    name: view.name,
    ...(uid === undefined ? {} : { uid }),
    driver: view.driver,
    ...(view.driver === 'dir' && view.config['source'] !== undefined ? { path: view.config['source'] } : {}),
    status: view.status,
    ...(space?.total === undefined ? {} : { totalBytes: space.total }),
    ...(space?.used === undefined ? {} : { usedBytes: space.used }),
    inUse: (view.used_by ?? []).length > 0,
  };
}

export function pathOf(name: string): string {
  return `/1.0/storage-pools/${encodeURIComponent(name)}`;
}
