import { constants as cryptoConstants } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../ports/clock.ts';
import { type Peer, peerOf } from '../auth/client-certificate.ts';
import type { Exchange } from './exchange.ts';
import { Http1Exchange } from './http1-exchange.ts';
import { Http2Exchange } from './http2-exchange.ts';
import { listen, type ListenAddress } from './listen.ts';

/**
 * HTTPS on several addresses, HTTP/2 and HTTP/1.1 on each. It knows who the client is (the certificate is looked at once a
 * connection), bounds what a client can hold, and stops within a bound. What is asked and answered is the handler's.
 */
export interface HttpServer {
  /** Listens on every address, or on none. @returns their URLs, in order */
  start(addresses: readonly ListenAddress[]): Promise<string[]>;
  /** New connections get this certificate; those that are open stay. */
  replaceCertificate(tls: TlsMaterial): void;
  /** Takes no more requests, lets those under way end for up to `drainMs`, then cuts the rest. */
  stop(drainMs: number): Promise<void>;
}

export interface TlsMaterial {
  certificatePem: string;
  keyPem: string;
  /** Client certificates must be of this authority. */
  clientCaPem: string;
}

export type ExchangeHandler = (exchange: Exchange) => void;

const MAX_HEADER_BYTES = 64 * 1024;
const MAX_CONCURRENT_STREAMS = 500;
const MAX_SESSION_MEMORY_MB = 64;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_PROBE_MS = 30_000;
/** Larger than the default 64 KiB, so that a list does not wait for the client after each of them. */
const WINDOW_BYTES = 1024 * 1024;

export function createHttpServer(tls: TlsMaterial, handler: ExchangeHandler, clock: Clock): HttpServer {
  const servers: Http2SecureServer[] = [];
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  /** Of HTTP/1.1, over which nothing was asked yet: node does not take those for idle. */
  const unused = new Set<Socket>();
  let isStopping = false;

  const open = (): Http2SecureServer => {
    const server = createSecureServer(serverOptions(tls));
    server.on('connection', (socket: Socket) => {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    server.on('session', (session) => {
      sessions.add(session);
      if (isStopping) session.close();
      session.once('close', () => sessions.delete(session));
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol === 'h2') return;
      if (isStopping) {
        socket.destroy();
        return;
      }
      unused.add(socket);
      socket.once('close', () => unused.delete(socket));
    });
    serveHttp2(server, handler);
    serveHttp1(server, handler, (socket) => unused.delete(socket));
    // Broken connections and handshakes (scanners, cut networks) are theirs, not ours; their sockets are closed by node.
    server.on('sessionError', () => undefined);
    server.on('tlsClientError', (_error, socket) => void socket.destroy());
    return server;
  };

  return {
    async start(addresses) {
      const urls: string[] = [];
      try {
        for (const address of addresses) {
          const server = open();
          servers.push(server);
          urls.push(await listen(server, address));
        }
      } catch (error) {
        await Promise.all(servers.splice(0).map(closeListener));
        throw error;
      }
      return urls;
    },
    replaceCertificate(next) {
      for (const server of servers) server.setSecureContext(secureContext(next));
    },
    async stop(drainMs) {
      isStopping = true;
      const closed = servers.splice(0).map(closeListener);
      for (const session of sessions) session.close();
      for (const socket of unused) socket.destroy();
      const timer = clock.schedule(drainMs, () => {
        for (const socket of sockets) socket.destroy();
      });
      await Promise.all(closed);
      timer.cancel();
    },
  };
}

function serveHttp2(server: Http2SecureServer, handler: ExchangeHandler): void {
  const peers = new WeakMap<Http2Session, { peer: Peer | undefined }>();
  server.on('session', (session: ServerHttp2Session) => {
    session.setLocalWindowSize(WINDOW_BYTES);
    peers.set(session, { peer: peerOf(session.socket as TLSSocket) });
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const session = stream.session;
    handler(new Http2Exchange(stream, headers, session === undefined ? undefined : peers.get(session)?.peer));
  });
}

function serveHttp1(
  server: Http2SecureServer,
  handler: ExchangeHandler,
  onUse: (socket: Socket) => void,
): void {
  const peers = new WeakMap<object, { peer: Peer | undefined }>();
  // A listener for `request` makes node answer streams of HTTP/2 through its compatibility layer, too, by this hook.
  server.removeAllListeners('newListener');
  server.on('request', (request: unknown, response: unknown) => {
    const message = request as IncomingMessage;
    const socket = message.socket as TLSSocket;
    const known = peers.get(socket) ?? { peer: peerOf(socket) };
    peers.set(socket, known);
    onUse(socket);
    handler(new Http1Exchange(message, response as ServerResponse, known.peer));
  });
}

function serverOptions(tls: TlsMaterial): SecureServerOptions & Record<string, unknown> {
  return {
    ...secureContext(tls),
    allowHTTP1: true,
    requestCert: true,
    // The handler answers 401; a refused handshake tells a person nothing.
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    maxSessionMemory: MAX_SESSION_MEMORY_MB,
    maxHeaderSize: MAX_HEADER_BYTES,
    settings: {
      maxConcurrentStreams: MAX_CONCURRENT_STREAMS,
      maxHeaderListSize: MAX_HEADER_BYTES,
      initialWindowSize: WINDOW_BYTES,
    },
  };
}

function secureContext({ certificatePem, keyPem, clientCaPem }: TlsMaterial) {
  return {
    cert: certificatePem,
    key: keyPem,
    ca: clientCaPem,
    minVersion: 'TLSv1.2' as const,
    // Every connection proves who it is: a resumed one would keep an identity that has expired meanwhile.
    secureOptions: cryptoConstants.SSL_OP_NO_TICKET,
  };
}

async function closeListener(server: Http2SecureServer): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  await closed;
}
