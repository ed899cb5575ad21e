import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type CertificateAuthority,
  createAuthority,
  issueCertificate,
  type KeyPair,
} from '../../../../src/apiserver/pki/certificates.ts';
import { renderKubeconfig } from '../../../../src/apiserver/pki/kubeconfig.ts';
import { localApi } from '../../../../src/cmd/local/api.ts';
import { systemClock } from '../../../../src/ports/clock.ts';

let ca: CertificateAuthority;
let certificate: KeyPair;
let client: KeyPair;
let folder: string;
let socketPath: string;
let kubeconfig: string;
const servers: Server[] = [];
/** Common names of those that connected, one for each connection. */
let connections: string[];

beforeAll(async () => {
  ca = await createAuthority('test', systemClock);
  const own = { commonName: 'server', names: ['localhost'], usages: ['server'], validDays: 1 } as const;
  certificate = await issueCertificate(ca, own, systemClock);
  client = await issueCertificate(ca, { commonName: 'me', usages: ['client'], validDays: 1 }, systemClock);
});
beforeEach(async () => {
  connections = [];
  folder = await mkdtemp(join(tmpdir(), 'hostler-local-api-'));
  socketPath = join(folder, 'api.sock');
  kubeconfig = join(folder, 'kubeconfig');
  const content = { servers: ['https://127.0.0.1:1'], caPem: ca.certificatePem, client, user: 'me' } as const;
  await writeFile(kubeconfig, renderKubeconfig({ ...content, servers: [...content.servers] }));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await end(server);
  await rm(folder, { recursive: true });
});

async function serve(listener: RequestListener): Promise<Server> {
  const { certificatePem: cert, keyPem: key } = certificate;
  const server = createServer({ cert, key, ca: ca.certificatePem, requestCert: true }, listener);
  server.on('secureConnection', (socket: TLSSocket) => {
    connections.push(String(socket.getPeerCertificate().subject.CN));
  });
  server.listen(socketPath);
  await once(server, 'listening');
  servers.push(server);
  return server;
}

async function end(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

const echo: RequestListener = (request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ path: request.url }));
};

describe('the API on its unix socket', () => {
  it.each([
    ['on a connection each', false, 3],
    ['on one connection, if wanted', true, 1],
  ])('is asked with the certificate of the kubeconfig, %s', async (_, keepAlive, count) => {
    await serve(echo);
    const api = localApi(socketPath, kubeconfig, { keepAlive });
    for (const path of ['/a', '/b', '/c']) {
      expect(await api.request('GET', path)).toEqual({ code: 200, body: { path } });
    }
    expect(connections).toEqual(Array.from({ length: count }, () => 'me'));
  });

  it('is asked again on another connection when the one that rested is closed just then', async () => {
    let asked = 0;
    await serve((request, response) => {
      asked += 1;
      if (asked === 2) request.socket.destroy();
      else echo(request, response);
    });
    const api = localApi(socketPath, kubeconfig, { keepAlive: true });
    await api.request('GET', '/first');
    expect(await api.request('GET', '/second')).toEqual({ code: 200, body: { path: '/second' } });
    expect(asked).toBe(3);
    expect(connections).toHaveLength(2);
  });

  it('is asked once when a new connection is closed', async () => {
    let asked = 0;
    await serve((request) => {
      asked += 1;
      request.socket.destroy();
    });
    const api = localApi(socketPath, kubeconfig, { keepAlive: true });
    await expect(api.request('GET', '/never')).rejects.toThrow('GET /never on the API server');
    expect(asked).toBe(1);
  });

  it('is found again after it was started anew', async () => {
    const first = await serve(echo);
    const api = localApi(socketPath, kubeconfig, { keepAlive: true });
    await api.request('GET', '/before');
    await end(first);
    await expect(api.request('GET', '/without')).rejects.toThrow('GET /without on the API server');
    await serve(echo);
    expect(await api.request('GET', '/after')).toMatchObject({ code: 200 });
  });

  it('is given up after the time that was set', async () => {
    await serve(() => undefined);
    const api = localApi(socketPath, kubeconfig, { keepAlive: true });
    await expect(api.request('GET', '/slow', { timeoutMs: 50 })).rejects.toMatchObject({
      cause: { name: 'AbortError' },
    });
  });
});
