import type { HostFacts } from '../ports/host-driver.ts';
import type { Api } from './api.ts';

/** Facts about the host, by the daemon's own account: the driver may run elsewhere. */

/** `GET /1.0`, as far as it is used. */
export interface ServerView {
  api_extensions: string[];
  environment: {
    server: string;
    server_name: string;
    server_version: string;
    /** In the pid namespace of the daemon. */
    server_pid: number;
    /** PEM, its own. */
    certificate: string;
    kernel_features: Readonly<Record<string, string>> | null;
    kernel_version: string;
    kernel_architecture: string;
    os_name: string;
    os_version: string;
    addresses: string[] | null;
  };
}

interface ResourcesView {
  cpu: { total: number };
  memory: { total: number };
}

interface NetworkView {
  name: string;
  type: string;
  managed: boolean;
}

interface NetworkStateView {
  addresses: { family: string; address: string; scope: string }[] | null;
}

export async function describeHost(
  api: Api,
  { environment }: ServerView,
  signal: AbortSignal,
): Promise<HostFacts> {
  const [resources, networks] = await Promise.all([
    api.get<ResourcesView>('/1.0/resources', signal),
    networksOf(api, signal),
  ]);
  return {
    runtime: environment.server === 'incus' ? 'incus' : 'lxd',
    runtimeVersion: environment.server_version,
    kernelVersion: environment.kernel_version,
    operatingSystem: `${environment.os_name} ${environment.os_version}`.trim(),
    architecture: environment.kernel_architecture,
    hostname: environment.server_name,
    cpuCount: resources.cpu.total,
    memoryBytes: resources.memory.total,
    addresses: await addressesOf(api, networks, environment.addresses ?? [], signal),
    networks: networks.filter(({ managed }) => managed).map(({ name }) => name),
  };
}

function networksOf(api: Api, signal: AbortSignal): Promise<NetworkView[]> {
  return api.get<NetworkView[]>('/1.0/networks?recursion=1', signal);
}

/** As in HostFacts. */
export async function hostAddresses(
  api: Api,
  { addresses }: ServerView['environment'],
  signal: AbortSignal,
): Promise<string[]> {
  return addressesOf(api, await networksOf(api, signal), addresses ?? [], signal);
}

/** Incus lists no veths; where the host is itself a container, or in a namespace, its own link is one. */
const NESTED_INTERFACE = 'eth0';

/** Global addresses of all interfaces but the daemon's own bridges, then those on which the daemon listens. */
async function addressesOf(
  api: Api,
  networks: readonly NetworkView[],
  listening: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const listed = networks.filter(({ managed, type }) => !managed && type !== 'loopback');
  const interfaces = new Set([...listed.map(({ name }) => name), NESTED_INTERFACE]);
  const states = await Promise.all(
    [...interfaces].map((name) =>
      api.find<NetworkStateView>(`/1.0/networks/${encodeURIComponent(name)}/state`, signal),
    ),
  );
  const found = states.flatMap((state) => globalAddresses(state?.addresses ?? []));
  const own = listening.map(withoutPort).filter((address) => !/^(127\.|::1$|169\.254\.|fe80:)/.test(address));
  return ipv4First([...new Set([...found, ...own])]);
}

export function globalAddresses(addresses: readonly { address: string; scope: string }[]): string[] {
  return addresses.filter(({ scope }) => scope === 'global').map(({ address }) => address);
}

export function ipv4First(addresses: readonly string[]): string[] {
  const isV6 = (address: string): boolean => address.includes(':');
  return [...addresses.filter((address) => !isV6(address)), ...addresses.filter(isV6)];
}

/** `10.0.0.7:8443` or `[fd00::7]:8443` without its port. */
function withoutPort(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}
