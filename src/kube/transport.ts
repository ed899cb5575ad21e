import type { Clock } from '../ports/clock.ts';
import { HostlerError, messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { openConnection } from './connect.ts';
import { type Connection, type HttpRequest, type HttpResponse, NotSentError } from './connection.ts';
import { type ApiAccess, readKubeConfig } from './kube-config.ts';

/**
 * Requests to the API over one shared connection, made on demand and made anew when it is lost. Of several servers it
 * stays with one that works and goes on to the next when it cannot be reached. What was certainly not sent, or only
 * reads, is sent once more on a new connection; of a write whose connection was lost the outcome is unknown (`Timeout`).
 */
export interface Transport {
  /** @throws Unavailable, Timeout, Invalid (the kubeconfig), Aborted */
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
  /** The caller got no answer in time. */
  suspect(): void;
  close(): void;
}

export interface TransportOptions {
  kubeConfig: string;
  /** Default: the current one. */
  context?: string;
  /** Base URLs, in the order in which they are tried. Default: the one of the kubeconfig. */
  servers?: readonly string[];
  userAgent: string;
  clock: Clock;
  logger: Logger;
  connectTimeoutMs: number;
  pingMs: number;
  /** Whether `suspect` ends the connection at once. @defaultValue false */
  resetOnTimeout?: boolean;
}

interface Open {
  connection: Connection;
  /** Of the base URL, without a slash at its end. */
  pathPrefix: string;
  headers: Record<string, string>;
}

export function createTransport(options: TransportOptions): Transport {
  const { logger } = options;
  /** Those that were given up drain; all are closed at the end. */
  const connections = new Set<Connection>();
  let opening: Promise<Open> | undefined;
  let current: Open | undefined;
  let preferred = 0;
  let isClosed = false;

  const openAny = async (): Promise<Open> => {
    const access = await readKubeConfig(options.kubeConfig, options.context);
    const servers = options.servers?.length ? options.servers : [access.server];
    const failures: string[] = [];
    for (let tried = 0; tried < servers.length; tried++) {
      const index = (preferred + tried) % servers.length;
      const server = servers[index] as string;
      try {
        const open = await openOne(server, access, options);
        preferred = index;
        current = open;
        connections.add(open.connection);
        open.connection.onClosed(() => connections.delete(open.connection));
        logger.debug({ server }, 'connected to the API');
        return open;
      } catch (error) {
        failures.push(`${server}: ${messageOf(error)}`);
      }
    }
    throw new HostlerError('Unavailable', `Cannot reach the API: ${failures.join('; ')}`);
  };

  const open = async (): Promise<Open> => {
    if (isClosed) throw new HostlerError('Aborted', 'The API client is closed');
    if (current?.connection.isUsable()) return current;
    opening ??= openAny().finally(() => {
      opening = undefined;
    });
    const opened = await opening;
    if (isClosed) {
      opened.connection.close();
      throw new HostlerError('Aborted', 'The API client is closed');
    }
    return opened;
  };

  const attempt = async (request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> => {
    const { connection, pathPrefix, headers } = await unlessAborted(open(), signal);
    const response = await connection.request(
      {
        ...request,
        path: `${pathPrefix}${request.path}`,
        headers: { 'user-agent': options.userAgent, ...headers, ...request.headers },
      },
      signal,
    );
    // The certificate or the token may have been renewed on disk.
    if (response.status === 401) connection.retire();
    return response;
  };

  return {
    async request(request, signal) {
      try {
        return await attempt(request, signal);
      } catch (error) {
        if (signal.aborted || error instanceof HostlerError) throw failure(error, request, signal);
        const isSafe = request.method === 'GET' || error instanceof NotSentError;
        if (!isSafe) throw failure(error, request, signal);
      }
      try {
        return await attempt(request, signal);
      } catch (error) {
        throw failure(error, request, signal);
      }
    },
    suspect() {
      if (options.resetOnTimeout === true) current?.connection.close();
      else current?.connection.suspect();
    },
    close() {
      isClosed = true;
      for (const connection of connections) connection.close();
    },
  };
}

async function openOne(server: string, access: ApiAccess, options: TransportOptions): Promise<Open> {
  const url = new URL(server);
  const connection = await openConnection({ url, tls: access.tls }, options);
  return { connection, pathPrefix: url.pathname.replace(/\/+$/, ''), headers: access.headers };
}

function failure(error: unknown, { method }: HttpRequest, signal: AbortSignal): HostlerError {
  if (signal.aborted) return abortError(signal);
  if (error instanceof HostlerError) return error;
  const isUnknown = method !== 'GET' && !(error instanceof NotSentError);
  return isUnknown
    ? new HostlerError('Timeout', 'The connection to the API was lost before the answer', { cause: error })
    : new HostlerError('Unavailable', 'The connection to the API was lost', { cause: error });
}

/** Why `signal` was aborted: our own deadline (`Timeout`), or the caller (`Aborted`). */
export function abortError(signal: AbortSignal): HostlerError {
  const reason: unknown = signal.reason;
  if (reason instanceof HostlerError) return reason;
  return new HostlerError('Aborted', 'The request was aborted', { cause: reason });
}

/** Opening a connection is shared: one caller who goes away must not end it for the others. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
