import { X509Certificate } from 'node:crypto';
import { connect } from 'node:net';
import type { ConnectionOptions, PeerCertificate } from 'node:tls';
import { Pool } from 'undici';
import { WebSocket } from 'ws';

/** Where the daemon is: its unix socket on this machine, or HTTPS with certificates on both sides. */
export type Endpoint =
  | { socketPath: string }
  | {
      /** `https://10.0.0.7:8443` */
      url: string;
      /** The server's own certificate (PEM), as `GET /1.0` shows it: no other is accepted, whoever signed it. */
      ca: Buffer;
      /** The client's certificate and key (PEM), which the daemon trusts. */
      cert: Buffer;
      key: Buffer;
    };

const CONNECT_TIMEOUT_MS = 5_000;
/** Below the daemons' own, so that it is we who close an idle connection. */
const KEEP_ALIVE_MS = 10_000;

/** A pool of HTTP connections; as many as there are requests at once, since every wait for an operation holds one. */
export function openPool(endpoint: Endpoint): Pool {
  const limits = { headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, allowH2: false };
  if ('socketPath' in endpoint) {
    const { socketPath } = endpoint;
    return new Pool('http://localhost', { ...limits, connect: { socketPath, timeout: CONNECT_TIMEOUT_MS } });
  }
  return new Pool(new URL(endpoint.url).origin, {
    ...limits,
    connect: { ...tlsOptions(endpoint), timeout: CONNECT_TIMEOUT_MS },
  });
}

/** @param path absolute, with its query */
export function openWebSocket(endpoint: Endpoint, path: string): WebSocket {
  const options = { handshakeTimeout: CONNECT_TIMEOUT_MS, perMessageDeflate: false };
  if ('socketPath' in endpoint) {
    const { socketPath } = endpoint;
    return new WebSocket(`ws://localhost${path}`, {
      ...options,
      createConnection: () => connect(socketPath),
    });
  }
  const { host } = new URL(endpoint.url);
  // ws hands all of it to tls.connect, but its types know only some.
  return new WebSocket(`wss://${host}${path}`, { ...options, ...(tlsOptions(endpoint) as object) });
}

type Tls = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'minVersion'> & {
  allowPartialTrustChain: boolean;
  checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined;
};

function tlsOptions({ ca, cert, key }: { ca: Buffer; cert: Buffer; key: Buffer }): Tls {
  const pinned = new X509Certificate(ca).raw;
  return {
    ca,
    cert,
    key,
    minVersion: 'TLSv1.2',
    allowPartialTrustChain: true,
    // Names say nothing here: the daemon's certificate is its own, and may be reached under any address.
    checkServerIdentity: (host, { raw }) =>
      raw.equals(pinned)
        ? undefined
        : Object.assign(new Error(`${host} has another certificate`), { code: 'CERT_PIN' }),
  };
}
