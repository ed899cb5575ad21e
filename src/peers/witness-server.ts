import { once } from 'node:events';
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { HostlerError, messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { NODES_GROUP, type PeerIdentity, WITNESS_PATH } from './identity.ts';

/**
 * What an agent tells the other agents of its cluster, and nobody else: for how long it has been cut off. Served with the
 * very certificate by which it is known to the API.
 */
export interface WitnessServer {
  port: number;
  /** New connections get this certificate; those that are open stay. */
  replace(identity: PeerIdentity): void;
  close(): Promise<void>;
}

/** @throws Unavailable when it cannot listen there */
export async function serveWitness(
  { host, port }: { host: string; port: number },
  identity: PeerIdentity,
  { cutOffForMs, logger }: { cutOffForMs: () => number; logger: Logger },
): Promise<WitnessServer> {
  const server = createServer(
    { ...contextOf(identity), requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const isNode = organizationsOf(request.socket as TLSSocket).includes(NODES_GROUP);
      const status = !isNode ? 403 : request.method === 'GET' && request.url === WITNESS_PATH ? 200 : 404;
      const body = status === 200 ? JSON.stringify({ cutOffForMs: cutOffForMs() }) : '{}';
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
      response.end(body);
    },
  );
  server.requestTimeout = 5_000;
  server.keepAliveTimeout = 30_000;
  server.on('tlsClientError', (error) => logger.debug({ error: messageOf(error) }, 'refused a peer'));
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new HostlerError('Unavailable', `Cannot listen for the other agents on ${host}:${port}`, { cause });
  }
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    replace: (next) => server.setSecureContext(contextOf(next)),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const contextOf = (identity: PeerIdentity) => ({ ...identity, minVersion: 'TLSv1.2' as const });

function organizationsOf(socket: TLSSocket): readonly string[] {
  const organizations: string | string[] | undefined = socket.getPeerCertificate().subject?.O;
  return organizations === undefined ? [] : [organizations].flat();
}
