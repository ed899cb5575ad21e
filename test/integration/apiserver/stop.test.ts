import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, get } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
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
    // The server sees the end of the handshake a little later than its client.
    if (isGreeted) await delay(50);
    await server.stop(DRAIN_MS);
    expect(await closed).toBeDefined();
  });

  it('waits for no session of HTTP/2 that asks nothing', async () => {
    const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    const closed = once(session, 'close');
    await once(session, 'remoteSettings');
    await server.stop(DRAIN_MS);
    expect(await closed).toBeDefined();
  });

  it('waits for no connection that is kept for the next question', async () => {
    const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
    const [response] = await once(get({ port, host: '127.0.0.1', agent }), 'response');
    await once(response.resume(), 'end');
    expect(response.statusCode).toBe(200);
    await server.stop(DRAIN_MS);
    agent.destroy();
  });
});
