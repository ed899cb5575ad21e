import { HostlerError } from '../ports/errors.ts';
import type { InstanceMark, InstanceSpec } from '../ports/host-driver.ts';

/**
 * From an InstanceSpec to the daemon's own words and back: configuration keys, devices, marks. Pure. Incus' and LXD's
 * instance options reference is the source of the keys; what takes effect when was measured (docs/design/0002-host-driver.md).
 */
export type Config = Readonly<Record<string, string>>;
export type Devices = Readonly<Record<string, Config>>;

const MARK_PREFIX = 'user.hostler.';
const MANAGED = `${MARK_PREFIX}managed`;
/** What needs a restart, with the values that the running instance was started with. */
export const PENDING_KEY = `${MARK_PREFIX}pending`;
export const ROOT_DEVICE = 'root';
/** On instances and pools: `Shared` where deleting would take away what another host may be using. */
export const ACCESS_KEY = `${MARK_PREFIX}access`;
export const SHARED = 'Shared';
/** On an incoming copy: uid of the Migration that brings it. */
export const INCOMING_KEY = `${MARK_PREFIX}incoming`;
/** On what came from another host: its root is not the image's, whatever else the daemon notes. */
export const MOVED_KEY = `${MARK_PREFIX}moved`;

/** Ours alone, so that no one can take the daemon's restarts, our marks or the daemon's own notes into spec.config. */
const RESERVED =
  /^(boot\.autostart|boot\.autorestart|boot\.autostart\..*|user\.hostler\..*|volatile\..*|image\..*)$/;

/** Keys that the daemon itself writes into the configuration and that an update must leave as they are. */
const DAEMONS_OWN = /^(volatile|image)\./;

/** What the daemon applies to a running container, or what has no effect on one; all else waits for the next start. */
const LIVE =
  /^(user\..*|boot\..*|snapshots\..*|migration\..*|cluster\..*|security\.protection\..*|linux\.kernel_modules|limits\.(cpu(\..*)?|memory(\..*)?|processes|disk\.priority|hugepages\..*))$/;

/** Whether a change of the key `key` reaches a running container only when it is started again. */
export function waitsForRestart(key: string): boolean {
  return !LIVE.test(key);
}

/**
 * The instance's whole configuration, apart from what the daemon writes itself.
 * @param autorestart whether the daemon knows `boot.autorestart`
 * @param live whether what wants to move while it runs gets what that needs
 * @throws Invalid when `spec.config` sets what is not the user's to set, or sets it twice
 */
export function configOf(
  spec: InstanceSpec,
  { autorestart, live }: { autorestart: boolean; live: boolean },
): Config {
  const limits = limitsOf(spec);
  for (const key of Object.keys(spec.config)) {
    if (RESERVED.test(key)) throw invalid(`config key ${key} cannot be set: Hostler keeps it for itself`);
    if (key in limits) throw invalid(`config key ${key} is set already by the container's resources`);
  }
  return {
    ...spec.config,
    ...limits,
    'raw.lxc': rawLxcOf(spec, live),
    // A container that died while the daemon was down would else be started by the daemon, behind the agent's back.
    'boot.autostart': 'false',
    ...(autorestart ? { 'boot.autorestart': 'false' } : {}),
    ...marksOf(spec.mark),
    ...(spec.rootSource === undefined ? {} : { [ACCESS_KEY]: SHARED }),
  };
}

/** At this level liblxc logs how the container ended (last-end.ts). What an operator allows people to add comes after it. */
const LOG_LEVEL = 'lxc.log.level = info';

/**
 * For criu: no console, whose other end is the daemon's, and of the file systems that liblxc mounts only those that it finds again.
 * Those are what an unprivileged container has anyway, and more than a privileged one should have.
 */
const LIVE_LINES = [
  'lxc.console.path = none',
  'lxc.mount.auto =',
  'lxc.mount.auto = proc:rw sys:rw cgroup:mixed',
].join('\n');

function rawLxcOf({ movesLive = false, config }: InstanceSpec, live: boolean): string {
  const isPrivileged = config['security.privileged'] === 'true';
  const added = config['raw.lxc'] ?? '';
  const lines = [LOG_LEVEL, ...(movesLive && live && !isPrivileged ? [LIVE_LINES] : []), added];
  return lines.filter((line) => line !== '').join('\n');
}

/** Whether the instance, once started with this configuration, can move while it runs. */
export function isMadeForLive(config: Config): boolean {
  return config['raw.lxc']?.includes(LIVE_LINES) === true;
}

/** `desired` with all that the daemon has noted in `current` by itself. */
export function withDaemonsOwn(desired: Config, current: Config): Config {
  const own = Object.entries(current).filter(([key]) => DAEMONS_OWN.test(key));
  return { ...Object.fromEntries(own), ...desired };
}

/** `config` as it was given to the daemon. */
export function withoutDaemonsOwn(config: Config): Config {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !DAEMONS_OWN.test(key)));
}

/** Root, volumes and network interfaces. @throws Invalid when two of them have one name */
export function devicesOf(spec: InstanceSpec): Devices {
  const root = {
    type: 'disk',
    path: '/',
    pool: spec.rootPool,
    ...(spec.diskBytes === undefined ? {} : { size: String(spec.diskBytes) }),
  };
  const devices: Record<string, Config> = { [ROOT_DEVICE]: root };
  for (const { name, source, path, readOnly } of spec.volumes ?? []) {
    if (name in devices) throw invalid(`volume ${name}: the name is taken`);
    const mode: Config = readOnly ? { readonly: 'true' } : {};
    devices[name] = { type: 'disk', source, path, shift: 'true', ...mode };
  }
  for (const { name, network } of spec.networks) {
    if (name in devices) throw invalid(`network interface ${name}: the name is taken`);
    devices[name] = { type: 'nic', name, network };
  }
  return devices;
}

/**
 * A limit in thousandths of a core: `limits.cpu` bounds the cores that the container sees and runs on, the allowance the
 * time on them. 1500 is two cores and 150 ms of every 100 ms.
 */
export function cpuLimit(milliCpu: number): Config {
  const cores = { 'limits.cpu': String(Math.max(1, Math.ceil(milliCpu / 1000))) };
  if (milliCpu > 0 && milliCpu % 1000 === 0) return cores;
  // Whole milliseconds only, the kernel's period is a second at most: the shortest that gives the exact share.
  const periodMs = [100, 200, 500, 1000].find((period) => (milliCpu * period) % 1000 === 0) ?? 1000;
  const quotaMs = Math.max(1, Math.round((milliCpu * periodMs) / 1000));
  return { ...cores, 'limits.cpu.allowance': `${quotaMs}ms/${periodMs}ms` };
}

/** Our mark on an instance; undefined when it is not one of ours. */
export function markOf(config: Config): InstanceMark | undefined {
  const uid = config[`${MARK_PREFIX}uid`];
  if (config[MANAGED] !== 'true' || uid === undefined) return undefined;
  return {
    uid,
    namespace: config[`${MARK_PREFIX}namespace`] ?? '',
    name: config[`${MARK_PREFIX}name`] ?? '',
    epoch: Number(config[`${MARK_PREFIX}epoch`] ?? 0),
    generation: Number(config[`${MARK_PREFIX}generation`] ?? 0),
  };
}

function marksOf(mark: InstanceMark): Config {
  return {
    [MANAGED]: 'true',
    [`${MARK_PREFIX}uid`]: mark.uid,
    [`${MARK_PREFIX}namespace`]: mark.namespace,
    [`${MARK_PREFIX}name`]: mark.name,
    [`${MARK_PREFIX}epoch`]: String(mark.epoch),
    [`${MARK_PREFIX}generation`]: String(mark.generation),
  };
}

function limitsOf(spec: InstanceSpec): Config {
  return {
    ...(spec.milliCpu === undefined ? {} : cpuLimit(spec.milliCpu)),
    ...(spec.memoryBytes === undefined ? {} : { 'limits.memory': String(spec.memoryBytes) }),
  };
}

function invalid(message: string): HostlerError {
  return new HostlerError('Invalid', message);
}
