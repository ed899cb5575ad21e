import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { PrometheusMetrics } from './metrics.ts';

/** One thing that must be well for a probe to pass. */
export interface Check {
  name: string;
  /** @returns why it is not well; undefined when it is */
  check(): string | undefined;
}

export interface TelemetryServerOptions {
  /** `127.0.0.1:9101`, `[::1]:9101`; a bare port listens on 127.0.0.1, port 0 takes a free one. */
  listen: string;
  metrics: PrometheusMetrics;
  /** For /readyz. */
  checks: readonly Check[];
  /** For /livez and /healthz: only what a restart of the process would mend. @defaultValue none */
  liveness?: readonly Check[];
  logger: Logger;
}

export interface TelemetryServer {
  /** `http://127.0.0.1:9101` */
  readonly url: string;
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Plain HTTP for probes and Prometheus: /metrics, /livez, /healthz, /readyz. It has no access control, so it belongs on
 * loopback or a network of the operator's. @throws when the address cannot be listened on
 */
export async function startTelemetryServer(options: TelemetryServerOptions): Promise<TelemetryServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      options.logger.warn({ url: request.url, error: messageOf(error) }, 'telemetry request failed');
      response.destroy();
    });
  });
  const { host, port } = parseListen(options.listen);
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${name}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  { metrics, checks, liveness = [] }: TelemetryServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'only GET\n');
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  switch (pathname) {
    case '/metrics':
      return send(response, 200, await metrics.text(), metrics.contentType);
    case '/readyz':
      return report(response, [...liveness, ...checks]);
    case '/livez':
    case '/healthz':
      return report(response, liveness);
    default:
      return send(response, 404, 'not found\n');
  }
}

/** As Kubernetes answers: one line a check, and 500 when any is not well. */
function report(response: ServerResponse, checks: readonly Check[]): void {
  const results = checks.map((check) => ({ name: check.name, fault: check.check() }));
  const isWell = results.every(({ fault }) => fault === undefined);
  const lines = results.map(({ name, fault }) =>
    fault === undefined ? `[+]${name} ok` : `[-]${name} failed: ${fault}`,
  );
  send(response, isWell ? 200 : 500, [...lines, isWell ? 'ok' : 'check failed', ''].join('\n'));
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

function parseListen(text: string): { host: string; port: number } {
  const [, host = '127.0.0.1', port = ''] = /^(?:(.+):)?(\d+)$/.exec(text) ?? [];
  if (port === '' || Number(port) > 65_535) throw new Error(`Not an address to listen on: ${text}`);
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
