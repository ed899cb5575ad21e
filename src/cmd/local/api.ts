import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createSecureContext } from 'node:tls';
import { parse } from 'yaml';

/**
 * The few requests that `up` and `status` make: straight to the API server's unix socket with the administrator's
 * certificate, without loading a Kubernetes client (that alone would take longer than all of `status`).
 */
export interface LocalApi {
  /** @returns status code and parsed body @throws Error when there is no answer in `timeoutMs` (default 5 s) */
  request(method: string, path: string, options?: { body?: object; timeoutMs?: number }): Promise<ApiAnswer>;
}

export interface ApiAnswer {
  code: number;
  body: unknown;
}

interface Kubeconfig {
  clusters: { cluster: { 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}

/**
 * @param keepAlive whether a connection is used for the next request, too: a handshake costs more than an answer. One that rests does not
 * keep the process alive. Default: false
 * @throws Error when the kubeconfig cannot be read, or has its credentials anywhere but inside
 */
export function localApi(
  socketPath: string,
  kubeconfigPath: string,
  { keepAlive = false }: { keepAlive?: boolean } = {},
): LocalApi {
  const config = parse(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig;
  const [cluster, user] = [config.clusters[0]?.cluster, config.users[0]?.user];
  if (cluster === undefined || user === undefined)
    throw new Error(`${kubeconfigPath} names no cluster or user`);
  const secureContext = createSecureContext({
    ca: decode(cluster['certificate-authority-data']),
    cert: decode(user['client-certificate-data']),
    key: decode(user['client-key-data']),
  });
  const agent = new Agent({ keepAlive, secureContext });
  return {
    async request(method, path, { body, timeoutMs = 5_000 } = {}) {
      const call = { agent, socketPath, servername: 'localhost', method, path };
      try {
        return await send(call, body, timeoutMs);
      } catch (error) {
        // The server had ended, or had closed the connection just then. Whatever it had read of it: no request here minds being made twice.
        if (!(error instanceof StaleConnectionError)) throw error;
        return await send({ ...call, agent: new Agent({ secureContext }) }, body, timeoutMs);
      }
    },
  };
}

/** A connection that had rested was closed by the other side when it was used again. */
class StaleConnectionError extends Error {}

function decode(base64: string): Buffer {
  return Buffer.from(base64, 'base64');
}

function send(
  options: { agent: Agent; socketPath: string; servername: string; method: string; path: string },
  body: object | undefined,
  timeoutMs: number,
): Promise<ApiAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ApiAnswer>();
  const what = `${options.method} ${options.path} on the API server`;
  const fail = (cause: unknown): void => reject(new Error(what, { cause }));
  const outgoing = request(
    {
      ...options,
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', fail);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = response.headers['content-type']?.includes('json') === true;
        try {
          resolve({ code: response.statusCode ?? 0, body: isJson ? JSON.parse(text) : text });
        } catch (error) {
          fail(error);
        }
      });
    },
  );
  outgoing.once('error', (cause: NodeJS.ErrnoException) => {
    const isStale = outgoing.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(cause.code ?? '');
    if (isStale) reject(new StaleConnectionError(what, { cause }));
    else fail(cause);
  });
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}
