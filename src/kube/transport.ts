import type { Clock } from '../ports/clock.ts';
import { HostlerError, messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { type ConnectOptions, openConnection } from './connect.ts';
import { type Connection, type HttpRequest, type HttpResponse, NotSentError } from './connection.ts';
import type { ClientCertificate } from './client-certificate.ts';
import { type ApiAccess, readKubeConfig } from './kube-config.ts';
import { openFirst } from './open-first.ts';
import { createReadinessWatch, isReady } from './readiness.ts';
import { createServerOrder, type ServerOrder } from './servers.ts';

/**
 * Requests to the API over one shared connection, made on demand and made anew when it is lost. Of several servers it stays with
 * one that works. It goes on to another when a connection is lost or silent and its server does not take a new one at once, and
 * when a server says that it is not ready (its etcd has no leader, say) while another one is: then its watches are cut, and resume
 * there. When none is ready it stays, for the reads that can be answered still. What was certainly not sent, or only reads, is sent
 * once more on a new connection; of a write whose connection was lost the outcome is unknown (`Timeout`).
 */
export interface Transport {
  /** @throws Unavailable, Timeout, Invalid (the kubeconfig), Aborted */
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
  /** The caller got no answer in time. */
  suspect(): void;
  /** New requests go over a new connection, made with what the kubeconfig and the certificate are by now; those under way stay. */
  reconnect(): void;
  close(): void;
}

export interface TransportOptions {
  kubeConfig: string;
  /** Default: the current one. */
  context?: string;
  /** Base URLs, in the order in which they are tried. Default: those of the kubeconfig. */
  servers?: readonly string[];
  /** What is used in place of the kubeconfig's, once there is a later one. */
  clientCertificate?: Pick<ClientCertificate, 'over'>;
  userAgent: string;
  clock: Clock;
  logger: Logger;
  connectTimeoutMs: number;
  /** Milliseconds between pings. @defaultValue 5000; 2000 where there are several servers */
  pingMs?: number | undefined;
  /** Whether `suspect` ends the connection at once. @defaultValue false */
  resetOnTimeout?: boolean;
}

interface Open {
  server: string;
  connection: Connection;
  /** Of the base URL, without a slash at its end. */
  pathPrefix: string;
  headers: Record<string, string>;
}

export function createTransport(options: TransportOptions): Transport {
  return new ServersTransport(options);
}

const PING_MS = { oneServer: 5_000, severalServers: 2_000 };

class ServersTransport implements Transport {
  readonly #options: TransportOptions;
  readonly #order: ServerOrder;
  /** Those that were given up drain; all are closed at the end. */
  readonly #connections = new Set<Connection>();
  readonly #readiness: ReturnType<typeof createReadinessWatch>;
  #opening: Promise<Open> | undefined;
  #current: Open | undefined;
  #hasOthers = false;
  /** How often connections were to be made anew. */
  #generation = 0;
  #isClosed = false;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#order = createServerOrder(options.clock);
    this.#readiness = createReadinessWatch(() => this.#leaveUnready(), options.clock);
  }

  async request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    try {
      return await this.#attempt(request, signal);
    } catch (error) {
      if (signal.aborted || error instanceof HostlerError) throw failure(error, request, signal);
      const isSafe = request.method === 'GET' || error instanceof NotSentError;
      if (!isSafe) throw failure(error, request, signal);
    }
    try {
      return await this.#attempt(request, signal);
    } catch (error) {
      throw failure(error, request, signal);
    }
  }

  suspect(): void {
    const current = this.#current;
    if (current === undefined) return;
    if (this.#hasOthers) this.#readiness.hasten();
    if (this.#options.resetOnTimeout !== true) return current.connection.suspect();
    this.#order.failed(current.server);
    current.connection.close();
  }

  reconnect(): void {
    this.#generation += 1;
    this.#current?.connection.retire();
  }

  close(): void {
    this.#isClosed = true;
    this.#readiness.stop();
    for (const connection of this.#connections) connection.close();
  }

  async #attempt(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const { connection, pathPrefix, headers } = await unlessAborted(this.#open(), signal);
    const response = await connection.request(
      {
        ...request,
        path: `${pathPrefix}${request.path}`,
        headers: { 'user-agent': this.#options.userAgent, ...headers, ...request.headers },
      },
      signal,
    );
    // The certificate or the token may have been renewed on disk.
    if (response.status === 401) connection.retire();
    if (this.#hasOthers && (response.status === 503 || response.status === 504)) this.#readiness.hasten();
    return response;
  }

  async #open(): Promise<Open> {
    if (this.#isClosed) throw new HostlerError('Aborted', 'The API client is closed');
    if (this.#current?.connection.isUsable()) return this.#current;
    this.#opening ??= this.#openAny().finally(() => {
      this.#opening = undefined;
    });
    const opened = await this.#opening;
    if (this.#isClosed) {
      opened.connection.close();
      throw new HostlerError('Aborted', 'The API client is closed');
    }
    return opened;
  }

  async #openAny(): Promise<Open> {
    const generation = this.#generation;
    const { servers, open } = await this.#access();
    const { opened } = await openFirst(this.#order.ranked(servers), {
      open,
      discard: (late) => late.connection.close(),
      onFailure: (server) => this.#order.failed(server),
      clock: this.#options.clock,
    });
    this.#use(opened);
    // Who waits for it finds that nothing was sent, and asks again.
    if (generation !== this.#generation) opened.connection.retire();
    if (this.#hasOthers) this.#readiness.start();
    return opened;
  }

  async #access(): Promise<{ servers: readonly string[]; open: (server: string) => Promise<Open> }> {
    const { kubeConfig, context, servers, pingMs, clock, connectTimeoutMs } = this.#options;
    const { clientCertificate } = this.#options;
    const written = await readKubeConfig(kubeConfig, context);
    const tls = clientCertificate === undefined ? written.tls : await clientCertificate.over(written.tls);
    const access = { ...written, tls };
    const all = servers?.length ? servers : access.servers;
    this.#hasOthers = all.length > 1;
    const ping = pingMs ?? (this.#hasOthers ? PING_MS.severalServers : PING_MS.oneServer);
    const open = (server: string): Promise<Open> =>
      openOne(server, access, { clock, connectTimeoutMs, pingMs: ping });
    return { servers: all, open };
  }

  #use(opened: Open): void {
    this.#order.worked(opened.server);
    this.#current = opened;
    this.#connections.add(opened.connection);
    opened.connection.onClosed(() => this.#connections.delete(opened.connection));
    this.#options.logger.debug({ server: opened.server }, 'connected to the API');
  }

  /** Goes over to a server that is ready, if the present one is not. Never rejects: it is tried again. */
  async #leaveUnready(): Promise<void> {
    try {
      await this.#goWhereReady();
    } catch (error) {
      this.#options.logger.warn({ error: messageOf(error) }, 'cannot look for another API server');
    }
  }

  async #goWhereReady(): Promise<void> {
    const left = this.#current;
    if (left === undefined || this.#isClosed || !left.connection.isUsable()) return;
    const { clock, logger } = this.#options;
    if (await isReady(left.connection, { ...left, clock })) return;
    const other = await this.#findReady(left.server);
    if (other === undefined) return;
    if (this.#isClosed || this.#current !== left) {
      other.connection.close();
      return;
    }
    logger.info({ server: left.server, instead: other.server }, 'going over to an API server that is ready');
    this.#order.failed(left.server);
    this.#use(other);
    left.connection.close();
  }

  async #findReady(besides: string): Promise<Open | undefined> {
    const { servers, open } = await this.#access();
    // One after the other: this is nothing that a caller waits for.
    for (const server of this.#order.ranked(servers)) {
      if (server === besides) continue;
      try {
        const opened = await open(server);
        if (await isReady(opened.connection, { ...opened, clock: this.#options.clock })) return opened;
        opened.connection.close();
      } catch (error) {
        this.#order.failed(server);
        this.#options.logger.debug(
          { server, error: messageOf(error) },
          'no connection to another API server',
        );
      }
    }
    return undefined;
  }
}

async function openOne(server: string, access: ApiAccess, options: ConnectOptions): Promise<Open> {
  const url = new URL(server);
  const connection = await openConnection({ url, tls: access.tls }, options);
  return { server, connection, pathPrefix: url.pathname.replace(/\/+$/, ''), headers: access.headers };
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
