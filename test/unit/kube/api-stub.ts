import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { createServer as createHttp1Server, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CertificateAuthority,
  createAuthority,
  issueCertificate,
} from '../../../src/apiserver/pki/certificates.ts';
import { renderKubeconfig } from '../../../src/apiserver/pki/kubeconfig.ts';
import { systemClock } from '../../../src/ports/clock.ts';

export type Handler = (request: Http2ServerRequest, response: Http2ServerResponse, body: string) => void;

/** An HTTPS server that answers as a test wants, with a kubeconfig for it. */
export interface ApiStub {
  url: string;
  kubeConfig: string;
  /** `METHOD path` of each request that came. */
  requests: string[];
  /** HTTP/2 sessions so far. */
  sessions: () => number;
  /** Writes a kubeconfig whose server is another one: a proxy, say. */
  kubeConfigFor(url: string): Promise<string>;
  /** Cuts every connection. */
  cut(): void;
  stop(): Promise<void>;
}

export async function startApiStub(
  handler: Handler,
  protocol: 'h2' | 'http/1.1' = 'h2',
  authority?: CertificateAuthority,
): Promise<ApiStub> {
  const folder = await mkdtemp(join(tmpdir(), 'hostler-api-stub-'));
  const ca = authority ?? (await createAuthority('test', systemClock));
  const names = ['127.0.0.1', 'localhost'];
  const server = await issueCertificate(
    ca,
    { commonName: 'stub', names, usages: ['server'], validDays: 1 },
    systemClock,
  );
  const client = await issueCertificate(
    ca,
    { commonName: 'me', usages: ['client'], validDays: 1 },
    systemClock,
  );
  const requests: string[] = [];
  const listener = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    requests.push(`${request.method} ${request.url}`);
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => handler(request, response, body));
  };
  const tls = {
    cert: server.certificatePem,
    key: server.keyPem,
    ca: ca.certificatePem,
    requestCert: true,
    rejectUnauthorized: true,
  };
  const sessions = new Set<ServerHttp2Session>();
  let sessionCount = 0;
  const http: Http2SecureServer | Server =
    protocol === 'h2'
      ? createSecureServer(tls, listener)
      : createHttp1Server(tls, listener as unknown as Parameters<typeof createHttp1Server>[1]);
  http.on('session', (session: ServerHttp2Session) => {
    sessionCount += 1;
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve);
  });
  const url = `https://127.0.0.1:${(http.address() as AddressInfo).port}`;
  let files = 0;
  const kubeConfigFor = async (to: string): Promise<string> => {
    const path = join(folder, `kubeconfig-${files++}`);
    await writeFile(path, renderKubeconfig({ servers: [to], caPem: ca.certificatePem, client, user: 'me' }));
    return path;
  };
  const cut = (): void => {
    for (const session of sessions) session.destroy();
  };
  return {
    url,
    kubeConfig: await kubeConfigFor(url),
    requests,
    sessions: () => sessionCount,
    kubeConfigFor,
    cut,
    async stop() {
      cut();
      if ('closeAllConnections' in http) http.closeAllConnections();
      await new Promise<void>((resolve) => {
        http.close(() => resolve());
      });
      await rm(folder, { recursive: true });
    },
  };
}

export function answer(response: Http2ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

export const statusBody = (code: number, reason: string, details: object = {}) => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  message: `because ${reason}`,
  reason,
  code,
  details,
});
