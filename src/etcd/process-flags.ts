import { createServer, isIP } from 'node:net';
import { HostlerError } from '../ports/errors.ts';

/** Paths of PEM files. With `trustedCaFile` etcd accepts only clients with a certificate of that CA. */
export interface EtcdTlsFiles {
  certFile: string;
  keyFile: string;
  trustedCaFile: string;
}

/** One of several etcds that together are one store, each below a server of its own. */
export interface EtcdMember {
  name: string;
  /** All of them, this one included. */
  members: readonly { name: string; url: string }[];
  /** Whether the others run already and have been told of this one (`etcdctl member add`). Counts at the first start only. */
  joins: boolean;
  /** What the members show each other; each other's certificates must be of `trustedCaFile`. */
  tls: EtcdTlsFiles;
}

export interface EtcdFlagOptions {
  /** Absolute. */
  etcdDir: string;
  endpoint: string;
  tls?: EtcdTlsFiles | undefined;
  /** Default: a cluster of one. */
  member?: EtcdMember | undefined;
  /** @defaultValue 4 GiB */
  quotaBackendBytes?: number | undefined;
}

const gib = 1024 ** 3;

/** The argument that tells one data folder's etcd from all others. */
export function dataDirArgument(etcdDir: string): string {
  return `--data-dir=${etcdDir}`;
}

/** Flags that etcd 3.4 and 3.5 understand. */
export function etcdFlags(options: EtcdFlagOptions): string[] {
  const { etcdDir, endpoint, tls, member } = options;
  return [
    ...(member === undefined ? aloneFlags() : memberFlags(member)),
    dataDirArgument(etcdDir),
    // etcd binds to addresses only; clients over TLS want a name (an address is no server name in TLS).
    `--listen-client-urls=${endpoint.replace('//localhost:', '//127.0.0.1:')}`,
    `--advertise-client-urls=${endpoint}`,
    `--quota-backend-bytes=${options.quotaBackendBytes ?? 4 * gib}`,
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=10m',
    '--max-request-bytes=2097152',
    '--experimental-watch-progress-notify-interval=5s',
    '--logger=zap',
    '--log-outputs=stderr',
    ...(tls
      ? [
          `--cert-file=${tls.certFile}`,
          `--key-file=${tls.keyFile}`,
          `--trusted-ca-file=${tls.trustedCaFile}`,
          '--client-cert-auth=true',
        ]
      : []),
  ];
}

/**
 * A cluster of one. The peer address is a unix socket in the (private) working directory, so nobody else can speak raft to it. The
 * election time is short because there is nobody to be elected instead: it only decides how fast etcd starts.
 */
function aloneFlags(): string[] {
  const peer = 'unix://peer:0';
  return [
    '--name=hostler',
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=hostler=${peer}`,
    '--heartbeat-interval=50',
    '--election-timeout=500',
  ];
}

/**
 * A member of several. Peers prove who they are in both directions, and etcd compares the address that a peer connects from with
 * those in its certificate. A lost leader is replaced after 0.5 to 1 s; a member that was cut off does not disturb the others when
 * it is back (pre-vote).
 */
function memberFlags({ name, members, joins, tls }: EtcdMember): string[] {
  const own = members.find((member) => member.name === name);
  if (own === undefined)
    throw new HostlerError('Invalid', `Cannot start etcd: ${name} is not among its members`);
  return [
    `--name=${name}`,
    `--listen-peer-urls=${peerListenUrl(own.url)}`,
    `--initial-advertise-peer-urls=${own.url}`,
    `--initial-cluster=${members.map((member) => `${member.name}=${member.url}`).join(',')}`,
    `--initial-cluster-state=${joins ? 'existing' : 'new'}`,
    '--initial-cluster-token=hostler',
    '--strict-reconfig-check=true',
    '--pre-vote=true',
    '--heartbeat-interval=100',
    '--election-timeout=500',
    `--peer-cert-file=${tls.certFile}`,
    `--peer-key-file=${tls.keyFile}`,
    `--peer-trusted-ca-file=${tls.trustedCaFile}`,
    '--peer-client-cert-auth=true',
  ];
}

/** etcd listens on addresses only: for a name, on all of the machine's. */
function peerListenUrl(url: string): string {
  const { hostname, port } = new URL(url);
  const isAddress = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
  return isAddress ? url : `https://0.0.0.0:${port}`;
}

/**
 * The address etcd is to listen on, with a free port in place of port 0.
 * @throws Invalid when it is not on loopback, or its scheme does not fit `tls`
 */
export async function clientEndpoint(
  listenClientUrl: string,
  tls: EtcdTlsFiles | undefined,
): Promise<string> {
  const url = parseUrl(listenClientUrl);
  const host = url.hostname;
  const isLoopback = host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
  const scheme = tls ? 'https:' : 'http:';
  if (!isLoopback) throw invalid(listenClientUrl, 'an embedded etcd listens on loopback only');
  if (url.protocol !== scheme) throw invalid(listenClientUrl, `it must begin with ${scheme}//`);
  // URL drops a scheme's default port.
  const asked = /:(\d+)\/?$/.exec(listenClientUrl)?.[1];
  if (asked === undefined) throw invalid(listenClientUrl, 'it has no port');
  const port = asked === '0' ? await freePort(host === '[::1]' ? '::1' : '127.0.0.1') : Number(asked);
  return `${scheme}//${host}:${port}`;
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw invalid(text, 'it is no URL');
  return new URL(text);
}

function invalid(url: string, why: string): HostlerError {
  return new HostlerError('Invalid', `Cannot start etcd on ${url}: ${why}`);
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
