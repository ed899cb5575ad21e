import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, get } from 'node:https';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHttpServer, type HttpServer } from '../../../src/apiserver/http/http-server.ts';
import { createAuthority, issueCertificate } from '../../../src/apiserver/pki/certificates.ts';
import { systemClock } from '../../../src/ports/clock.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';

/** Its clock stands still: a stop that waits for what is cut at its end would never be over. */
const DRAIN_MS = 5_000;
let server: HttpServer;
let port: number;
let clock: FakeClock;

beforeEach(async () => {
  const ca = await createAuthority('hostler-ca', systemClock);
  const wish = { commonName: 'server', organizations: [], usages: ['server' as const], validDays: 1 };
  const pair = await issueCertificate(ca, wish, systemClock);
  const tls = { ...pair, clientCaPem: ca.certificatePem };
  clock = createFakeClock();
  server = createHttpServer(tls, (exchange) => exchange.respond(200, {}, 'well'), clock);
  const [url = ''] = await server.start([{ host: '127.0.0.1', port: 0 }]);
  port = Number(new URL(url).port);
});
afterEach(async () => {
  const stopped = server.stop(DRAIN_MS);
  await clock.advance(DRAIN_MS);
  await stopped;
});

async function ask(agent: Agent): Promise<number | undefined> {
  const [response] = (await once(get({ port, host: '127.0.0.1', agent }), 'response')) as [IncomingMessage];
  await once(response.resume(), 'end');
  return response.statusCode;
}

describe('a clean stop of the HTTP server', () => {
  it.each([
    ['has been greeted', true],
    ['is about to be', false],
  ])('waits for no connection of HTTP/1.1 that asks nothing and %s', async (_, isGreeted) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    const closed = once(socket.resume(), 'close');
    await once(socket, 'secureConnect');
    // The server sees the end of the handshake a little later than its client, but before what comes after it.
    if (isGreeted) await ask(new Agent({ rejectUnauthorized: false }));
    await expect(server.stop(DRAIN_MS)).resolves.toBeUndefined();
    await closed;
  });

  it('waits for no session of HTTP/2 that asks nothing', async () => {
    const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    const closed = once(session, 'close');
    await once(session, 'remoteSettings');
    await expect(server.stop(DRAIN_MS)).resolves.toBeUndefined();
    await closed;
  });

  it('waits for no connection that is kept for the next question', async () => {
    const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
    expect(await ask(agent)).toBe(200);
    await expect(server.stop(DRAIN_MS)).resolves.toBeUndefined();
    agent.destroy();
  });
});
