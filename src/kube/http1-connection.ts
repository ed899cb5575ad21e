import { Agent } from 'undici';
import { type Connection, type Endpoint, NotSentError } from './connection.ts';

/** Nothing came on a watch for so long: it is taken for dead (HTTP/1.1 has no pings). Longer than bookmarks are apart. */
const SILENCE_MS = 120_000;
const NOT_SENT = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** For servers, or proxies before them, that speak no HTTP/2; one pool of kept-alive connections. */
export function createHttp1Connection({ url, tls }: Endpoint, connectTimeoutMs: number): Connection {
  const agent = new Agent({
    allowH2: false,
    connect: { ...tls, timeout: connectTimeoutMs, keepAliveInitialDelay: 10_000 },
    bodyTimeout: SILENCE_MS,
    headersTimeout: SILENCE_MS,
  });
  const closed: (() => void)[] = [];
  let isClosed = false;
  return {
    isUsable: () => !isClosed,
    suspect() {},
    retire() {
      isClosed = true;
      void agent.close().then(() => closed.forEach((run) => run()));
    },
    onClosed: (run) => void closed.push(run),
    close() {
      isClosed = true;
      void agent.destroy().then(() => closed.forEach((run) => run()));
    },
    async request({ method, path, headers, body }, signal) {
      try {
        const options = { origin: url.origin, method, path, headers, signal, body: body ?? null };
        const response = await agent.request(options);
        return { status: response.statusCode, headers: response.headers, body: response.body };
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        if (NOT_SENT.has(code)) throw new NotSentError(`Cannot connect to ${url.origin}`, { cause: error });
        throw error;
      }
    },
  };
}
