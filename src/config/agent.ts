/** As commander hands them over. */
export interface AgentFlags {
  nodeName: string;
  kubeconfig: string;
  server?: string;
  incus: string;
  incusCa?: string;
  incusCert?: string;
  incusKey?: string;
  stateDir: string;
  acceptCluster?: string;
  label?: readonly string[];
  defaultNetwork: string;
  allowConfig?: readonly string[];
  remote?: readonly string[];
  guard: string;
  peerListen: string;
  watchdog?: string;
  statusInterval: string;
  resync: string;
  parallelCreates: string;
  listen?: string;
}

/** Where the daemon answers; certificates are paths of PEM files. */
export type DaemonAddress =
  | { socketPath: string }
  | { url: string; caFile: string; certFile: string; keyFile: string };

export interface ImageServer {
  url: string;
  protocol: 'simplestreams' | 'incus' | 'lxd';
}

export interface AgentConfig {
  nodeName: string;
  kubeConfig: string;
  /** Base URLs of API servers; empty for the kubeconfig's own. */
  servers: string[];
  daemon: DaemonAddress;
  stateDir: string;
  /** uid that an operator has accepted, whatever cluster was known. */
  acceptCluster?: string;
  labels: Record<string, string>;
  /** Absent: containers that name no network get none. */
  defaultNetwork?: string;
  /** Patterns in the order given; absent: the default list. `default` stands for that list. */
  allowedConfig?: string[];
  /** Image servers by the names that references use. */
  remotes: Record<string, ImageServer>;
  /** `none`: nothing here is fenced by time. */
  guard: 'start' | 'external' | 'none';
  /** For the guard that is started. */
  watchdog?: string;
  /** Where the other agents reach this one; absent: nowhere. */
  peerListen?: { host: string; port: number };
  statusMs: number;
  resyncMs: number;
  parallelCreates: number;
  /** For /metrics and probes; absent: nowhere. */
  listen?: string;
}

/** The server of the images that Incus itself knows by this name. */
const DEFAULT_REMOTES: Readonly<Record<string, ImageServer>> = {
  images: { url: 'https://images.linuxcontainers.org', protocol: 'simplestreams' },
};
const NODE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const REMOTE = /^([a-z0-9][a-z0-9._-]*)=(?:(simplestreams|incus|lxd):)?(https:\/\/\S+)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** @throws Error that names the option which is wrong */
export function parseAgentConfig(flags: AgentFlags): AgentConfig {
  const { nodeName, defaultNetwork, allowConfig, listen } = flags;
  if (!NODE_NAME.test(nodeName) || nodeName.length > 63) {
    throw new Error(
      `--node-name ${JSON.stringify(nodeName)}: must be lower-case letters, digits and dashes, at most 63`,
    );
  }
  return {
    nodeName,
    kubeConfig: flags.kubeconfig,
    servers: listOf(flags.server).map(serverOf),
    daemon: daemonOf(flags),
    stateDir: flags.stateDir,
    ...(flags.acceptCluster === undefined ? {} : { acceptCluster: flags.acceptCluster }),
    labels: Object.fromEntries((flags.label ?? []).map(labelOf)),
    ...(defaultNetwork === 'none' ? {} : { defaultNetwork }),
    ...(allowConfig === undefined ? {} : { allowedConfig: allowConfig.flatMap(listOf) }),
    remotes: { ...DEFAULT_REMOTES, ...Object.fromEntries((flags.remote ?? []).map(remoteOf)) },
    ...guardOf(flags),
    ...peerListenOf(flags.peerListen),
    statusMs: durationMs('--status-interval', flags.statusInterval, 1_000),
    resyncMs: durationMs('--resync', flags.resync, 10_000),
    parallelCreates: countOf('--parallel-creates', flags.parallelCreates),
    ...(listen === undefined ? {} : { listen }),
  };
}

function daemonOf({ incus, incusCa, incusCert, incusKey }: AgentFlags): DaemonAddress {
  if (incus.startsWith('unix:')) {
    const socketPath = incus.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    if (!socketPath.startsWith('/')) throw new Error(`--incus ${incus}: a socket is given as unix:/path`);
    if ((incusCa ?? incusCert ?? incusKey) !== undefined) {
      throw new Error('--incus-ca, --incus-cert and --incus-key are for https: a socket needs none');
    }
    return { socketPath };
  }
  if (!incus.startsWith('https://') || !URL.canParse(incus)) {
    throw new Error(`--incus ${incus}: must be unix:/path/to/unix.socket or https://host:8443`);
  }
  if (incusCa === undefined || incusCert === undefined || incusKey === undefined) {
    throw new Error(
      `--incus ${incus} needs --incus-ca (the daemon's certificate), --incus-cert and --incus-key (a client's that it trusts)`,
    );
  }
  return { url: new URL(incus).origin, caFile: incusCa, certFile: incusCert, keyFile: incusKey };
}

/** Without the daemon's own processes at hand there is nothing that a guard could do. */
function guardOf({ guard, incus, watchdog }: AgentFlags): Pick<AgentConfig, 'guard' | 'watchdog'> {
  if (guard !== 'start' && guard !== 'external' && guard !== 'none') {
    throw new Error(`--guard ${guard}: must be start, external or none`);
  }
  const isLocal = incus.startsWith('unix:');
  if (!isLocal && guard === 'external')
    throw new Error(`--guard ${guard} needs the daemon on this host: --incus unix:…`);
  return { guard: isLocal ? guard : 'none', ...(watchdog === undefined ? {} : { watchdog }) };
}

function peerListenOf(text: string): Pick<AgentConfig, 'peerListen'> {
  if (text === 'none') return {};
  const [, host = '', port] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  const number = Number(port);
  if (!(number >= 1 && number <= 65_535)) {
    throw new Error(
      `--peer-listen ${text}: must be address:port, such as 0.0.0.0:9465 or [::]:9465, or none`,
    );
  }
  return { peerListen: { host: host.replace(/^\[(.*)\]$/, '$1') || '0.0.0.0', port: number } };
}

function durationMs(option: string, text: string, leastMs: number): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
  if (!Number.isFinite(ms)) throw new Error(`${option} ${text}: must be a duration such as 500ms, 1s or 5m`);
  if (ms < leastMs) throw new Error(`${option} ${text}: must be at least ${leastMs}ms`);
  return ms;
}

function countOf(option: string, text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= 64) return count;
  throw new Error(`${option} ${text}: must be a whole number from 1 to 64`);
}

function labelOf(text: string): [string, string] {
  const at = text.indexOf('=');
  const [key, value] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)];
  if (at > 0 && LABEL_KEY.test(key) && LABEL_VALUE.test(value)) return [key, value];
  throw new Error(`--label ${text}: must be key=value, as labels of Kubernetes are`);
}

function remoteOf(text: string): [string, ImageServer] {
  const [, name, protocol = 'simplestreams', url] = REMOTE.exec(text) ?? [];
  if (name === undefined || url === undefined || !URL.canParse(url)) {
    throw new Error(
      `--remote ${text}: must be name=https://server, or name=incus:https://server for a protocol other than simplestreams`,
    );
  }
  return [name, { url, protocol: protocol as ImageServer['protocol'] }];
}

function serverOf(server: string): string {
  if (/^https?:\/\//.test(server) && URL.canParse(server)) return server;
  throw new Error(`--server: ${JSON.stringify(server)} is no URL such as https://10.0.0.1:6443`);
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
