import { createHash } from 'node:crypto';

/**
 * The options of a local cluster and everything that follows from them without looking at the machine: where things lie in
 * the state folder, and which addresses the hosts have. All addresses live in namespaces of the cluster's own, so that
 * every cluster can use the same ones.
 */
export interface LocalOptions {
  stateDir: string;
  /** 1 to MAX_HOSTS. */
  hosts: number;
  runtime: 'incus' | 'lxd';
  /** Servers of the control plane: 1, beside the hosts, or as many of the hosts as have one, with a member of etcd each. */
  replicas: number;
  /** The API's port on 127.0.0.1 of the machine. */
  port: number;
  /** Whether the daemons are started so that containers can move while they run. @defaultValue false */
  live?: boolean;
}

/** Where scripts/setup --live puts criu and its wrapper; `bin` below it goes on a daemon's PATH. */
export const LIVE_FOLDER = '/usr/local/lib/hostler/criu';
/** The port of each host's daemon for the daemons of the others. */
export const DAEMON_PORT = 8443;

export const MAX_HOSTS = 60;
/** Odd: an even number bears no more losses than the next smaller one. */
export const REPLICA_COUNTS = [1, 3, 5] as const;
export const DEFAULT_STATE_DIR = '/var/lib/hostler';
/** Where every host finds the cluster's images, whatever its state folder is. */
export const IMAGES_DIR = '/var/lib/hostler/images';
/** Where every host finds the one folder that they share, as a mount point: the source of a StoragePool with access Shared. */
export const SHARED_DIR = '/var/lib/hostler/shared';
/** Longer ones do not leave enough of the 107 bytes that a unix socket's path can have. */
const MAX_STATE_DIR = 64;
const HIDDEN = ['/run', '/var/run', '/sys', '/proc', '/dev'];

/** @throws Error that names the option and what it may be */
export function checkLocalOptions(options: LocalOptions): LocalOptions {
  const { stateDir, hosts, port } = options;
  if (!Number.isInteger(hosts) || hosts < 1 || hosts > MAX_HOSTS) {
    throw new Error(`--hosts ${hosts}: must be a whole number from 1 to ${MAX_HOSTS}`);
  }
  if (!REPLICA_COUNTS.some((count) => count === options.replicas) || options.replicas > hosts) {
    const counts = REPLICA_COUNTS.filter((count) => count <= hosts).join(' or ');
    throw new Error(`--replicas ${options.replicas}: must be ${counts} with ${hosts} hosts`);
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error(`--port ${port}: must be a whole number from 1 to 65535`);
  }
  checkStateDir(stateDir);
  if (!['incus', 'lxd'].includes(options.runtime)) {
    throw new Error(`--runtime ${options.runtime}: must be incus or lxd`);
  }
  if (options.live === true && options.runtime === 'lxd') {
    throw new Error('--live: LXD cannot move containers while they run; incus can');
  }
  return options;
}

/** @throws Error that says why the folder cannot be used */
export function checkStateDir(stateDir: string): string {
  const fault = (why: string): Error => new Error(`--state-dir ${stateDir}: ${why}`);
  if (!stateDir.startsWith('/')) throw fault('must be an absolute path');
  if (/[\s:"'\\]/.test(stateDir)) throw fault('must have no spaces, colons, quotes or backslashes');
  if (stateDir.split('/').filter(Boolean).length < 2) {
    throw fault('must lie at least two levels below /, since `hostler down` removes it');
  }
  if (Buffer.byteLength(stateDir) > MAX_STATE_DIR) throw fault(`must be at most ${MAX_STATE_DIR} bytes long`);
  if (HIDDEN.some((path) => `${stateDir}/`.startsWith(`${path}/`))) {
    throw fault(`must not lie below ${HIDDEN.join(', ')}, which each host has for itself`);
  }
  return stateDir.replace(/\/+$/, '');
}

/** Names the cluster in control groups: two clusters on one machine never share one. */
export function clusterId(stateDir: string): string {
  return `hostler-${createHash('sha256').update(stateDir).digest('hex').slice(0, 8)}`;
}

/** host-1, host-2, … */
export function hostNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `host-${index + 1}`);
}

export interface HostAddresses {
  /** On the link between the hosts. */
  address: string;
  /** Of the daemon's own bridge, whose subnet the containers are in. */
  bridge: string;
  subnet: string;
}

/** All that the hosts can reach: the links (10.88.0.0/24) and the containers' subnets (10.88.N.0/24). */
export const CLUSTER_RANGE = '10.88.0.0/16';
export const SWITCH_ADDRESS = '10.88.0.1';
/** The compartment of the only server. */
export const CONTROL_PLANE = 'control-plane';
export const CONTROL_PLANE_ADDRESS = '10.88.0.2';
/** The API servers' port. */
export const API_PORT = 6443;
/** Where an agent serves its metrics and probes, inside its host: `hostler exec host-1 -- busybox wget -qO- …/metrics`. */
export const AGENT_LISTEN = '127.0.0.1:9464';
/** The daemon's network that containers without `spec.networks` are on. */
export const BRIDGE_NAME = 'incusbr0';

/** @param index 1 to MAX_HOSTS, unique in the cluster */
export function hostAddresses(index: number): HostAddresses {
  return { address: `10.88.0.${100 + index}`, bridge: `10.88.${index}.1`, subnet: `10.88.${index}.0/24` };
}

/** Where the members of etcd reach each other, on the addresses of their hosts. */
export const ETCD_PEER_PORT = 2380;

/** One server of the control plane. */
export interface LocalServer {
  /** The compartment that it runs in: a host's, or one of its own where there is only one. */
  compartment: string;
  /** Of the host that it runs on, and of its member of etcd; undefined for the only one. */
  host?: string;
  /** Where its API is, on the link between the hosts. */
  url: string;
  address: string;
  dataDir: string;
  /** Its API for processes outside of the hosts' network. */
  apiSocket: string;
  /** The administrator's credentials, as it wrote them. */
  kubeconfig: string;
}

/** The servers of a cluster, in the order of their hosts. */
export function localServers({
  stateDir,
  replicas,
}: Pick<LocalOptions, 'stateDir' | 'replicas'>): LocalServer[] {
  const { data, apiSocket, compartments } = localPaths(stateDir);
  const serverAt = (address: string, dataDir: string) => ({
    url: `https://${address}:${API_PORT}`,
    address,
    dataDir,
    kubeconfig: `${dataDir}/admin.kubeconfig`,
  });
  if (replicas === 1) {
    return [{ compartment: CONTROL_PLANE, apiSocket, ...serverAt(CONTROL_PLANE_ADDRESS, data) }];
  }
  return hostNames(replicas).map((host, index) => ({
    compartment: host,
    host,
    apiSocket: `${compartments}/${host}/api.sock`,
    ...serverAt(hostAddresses(index + 1).address, `${data}/${host}`),
  }));
}

/** Paths in the state folder. */
export function localPaths(stateDir: string) {
  return {
    lock: `${stateDir}/lock`,
    options: `${stateDir}/cluster.json`,
    logs: `${stateDir}/logs`,
    images: `${stateDir}/images`,
    shared: `${stateDir}/shared`,
    image: `${stateDir}/images/busybox.tar.gz`,
    /** One folder per compartment: the switch, the control plane and each host. */
    compartments: `${stateDir}/compartments`,
    data: `${stateDir}/server`,
    /** Identity of the forwarder's process. */
    forwarder: `${stateDir}/forward.pid`,
    apiSocket: `${stateDir}/api.sock`,
    kubeconfig: `${stateDir}/admin.kubeconfig`,
  } as const;
}
