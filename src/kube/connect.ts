import { isIP } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Clock } from '../ports/clock.ts';
import type { Connection, Endpoint } from './connection.ts';
import { createHttp1Connection } from './http1-connection.ts';
import { createHttp2Connection } from './http2-connection.ts';

export interface ConnectOptions {
  clock: Clock;
  connectTimeoutMs: number;
  pingMs: number;
}

/** HTTP/2 where the server speaks it, HTTP/1.1 otherwise. @throws when there is no connection within `connectTimeoutMs` */
export async function openConnection(
  endpoint: Endpoint,
  { clock, connectTimeoutMs, pingMs }: ConnectOptions,
): Promise<Connection> {
  if (endpoint.url.protocol === 'http:') return createHttp1Connection(endpoint, connectTimeoutMs);
  const socket = await openSocket(endpoint, clock, connectTimeoutMs);
  if (socket.alpnProtocol === 'h2')
    return createHttp2Connection(socket, { url: endpoint.url, clock, pingMs });
  socket.destroy();
  return createHttp1Connection(endpoint, connectTimeoutMs);
}

function openSocket({ url, tls }: Endpoint, clock: Clock, timeoutMs: number): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const socket = connectTls({
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...tls,
    host,
    port: Number(url.port || 443),
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(timeoutMs, () =>
      socket.destroy(new Error(`No connection to ${url.origin} within ${timeoutMs} ms`)),
    );
    const fail = (error: Error): void => {
      timer.cancel();
      reject(error);
    };
    socket.once('error', fail);
    socket.once('close', () => fail(new Error(`The connection to ${url.origin} was closed`)));
    socket.once('secureConnect', () => {
      timer.cancel();
      socket.removeAllListeners('error').removeAllListeners('close');
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}
