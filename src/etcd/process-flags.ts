import { createServer } from 'node:net';
import { HostlerError } from '../ports/errors.ts';

/** Paths of PEM files. With `trustedCaFile` etcd accepts only clients with a certificate of that CA. */
export interface EtcdTlsFiles {
  certFile: string;
  keyFile: string;
  trustedCaFile: string;
}

export interface EtcdFlagOptions {
  /** Absolute. */
  etcdDir: string;
  endpoint: string;
  tls?: EtcdTlsFiles | undefined;
  /** @defaultValue 4 GiB */
  quotaBackendBytes?: number | undefined;
}

const gib = 1024 ** 3;

/** The argument that tells one data folder's etcd from all others. */
export function dataDirArgument(etcdDir: string): string {
  return `--data-dir=${etcdDir}`;
}

/**
 * Flags for a cluster of one, understood by etcd 3.4 and 3.5. The peer address is a unix socket in the (private)
 * working directory, so nobody else can speak raft to it. The election time is short because there is nobody to be
 * elected instead: it only decides how fast etcd starts.
 */
export function etcdFlags(options: EtcdFlagOptions): string[] {
  const { etcdDir, endpoint, tls } = options;
  const peer = 'unix://peer:0';
  return [
    '--name=hostler',
    dataDirArgument(etcdDir),
    // etcd binds to addresses only; clients over TLS want a name (an address is no server name in TLS).
    `--listen-client-urls=${endpoint.replace('//localhost:', '//127.0.0.1:')}`,
    `--advertise-client-urls=${endpoint}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=hostler=${peer}`,
    '--heartbeat-interval=50',
    '--election-timeout=500',
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
