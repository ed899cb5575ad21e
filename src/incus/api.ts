import type { Readable } from 'node:stream';
import type { Pool } from 'undici';
import type { Clock } from '../ports/clock.ts';
import { withDeadline } from '../ports/deadline.ts';
import { HostlerError } from '../ports/errors.ts';
import type { Metrics } from '../ports/metrics.ts';
import { abortFault, connectionFault, daemonFault } from './faults.ts';

/**
 * The REST API that Incus and LXD share: requests, their one envelope, and operations, which are always awaited. Every
 * call has a deadline; a request whose answer was lost is told apart (`isLostReply`).
 */
export interface Api {
  /** A request that is answered at once. @returns its metadata; undefined when there is no such thing (404) */
  find<T>(path: string, signal: AbortSignal): Promise<T | undefined>;
  /** As `find`, with the ETag for a conditional write. */
  findTagged<T>(path: string, signal: AbortSignal): Promise<Tagged<T> | undefined>;
  /** As `find`. @throws NotFound */
  get<T>(path: string, signal: AbortSignal): Promise<T>;
  /** The last `bytes` of a file, as text. @returns undefined when there is no such file */
  tail(path: string, bytes: number, signal: AbortSignal): Promise<string | undefined>;
  /** Any change, to the end of its operation if it has one. @returns the operation's metadata */
  change(request: Change, signal: AbortSignal): Promise<Record<string, unknown>>;
  /** As `change`, without waiting for the operation. @returns its path */
  begin(request: Change, signal: AbortSignal): Promise<string>;
  /** A request that changes something and is answered at once, by `metadata`. */
  post<T>(path: string, body: object, signal: AbortSignal): Promise<T>;
  /** Waits for an operation that is under way. @param path `/1.0/operations/…` */
  wait(path: string, timeoutMs: number, signal: AbortSignal): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

export interface Tagged<T> {
  value: T;
  etag: string;
}

export interface Change {
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  body?: object;
  /** Instead of `body`: bytes as they are. */
  upload?: { bytes: Readable; size: number };
  etag?: string;
  /** For the operation. @defaultValue operationTimeoutMs */
  timeoutMs?: number;
}

export interface ApiOptions {
  pool: Pool;
  clock: Clock;
  metrics: Metrics;
  /** For one request. */
  requestTimeoutMs: number;
  /** For one request and the operation that it begins. */
  operationTimeoutMs: number;
}

interface Envelope {
  type: 'sync' | 'async' | 'error';
  error?: string;
  error_code?: number;
  operation?: string;
  metadata: unknown;
}

/** https://linuxcontainers.org/incus/docs/main/rest-api/#list-of-current-status-codes */
const RUNNING_CODES = new Set([100, 101, 103, 105, 106, 107]);
const SUCCESS_CODE = 200;
/** How much longer than the daemon's own wait our request may take. */
const WAIT_SLACK_MS = 5_000;

interface OperationView {
  status_code: number;
  status: string;
  err: string;
  metadata: Record<string, unknown> | null;
}

type Request = Omit<Change, 'method'> & { method: Change['method'] | 'GET'; range?: string };

export function createApi(options: ApiOptions): Api {
  const { clock } = options;
  const exchange = createExchange(options);

  const send = async (request: Request, timeoutMs: number, signal: AbortSignal) => {
    const { status, text, etag } = await exchange(request, timeoutMs, signal);
    return { envelope: openEnvelope(status, text), etag };
  };

  const wait: Api['wait'] = async (path, timeoutMs, signal) => {
    const seconds = Math.max(1, Math.ceil(timeoutMs / 1000));
    const request = { method: 'GET' as const, path: `${path}/wait?timeout=${seconds}` };
    try {
      const { envelope } = await send(request, seconds * 1000 + WAIT_SLACK_MS, signal).catch(operationGone);
      return resultOf(envelope.metadata as OperationView, seconds);
    } catch (error) {
      // So Incus 6 says that the time of this wait is over; an operation that failed of its own deadline may say it too.
      if (!(error instanceof HostlerError) || error.message !== 'context deadline exceeded') throw error;
      const { envelope } = await send({ method: 'GET', path }, options.requestTimeoutMs, signal);
      if (!RUNNING_CODES.has((envelope.metadata as OperationView).status_code)) throw error;
      return resultOf(envelope.metadata as OperationView, seconds);
    }
  };

  const findTagged = async <T>(path: string, signal: AbortSignal): Promise<Tagged<T> | undefined> => {
    try {
      const { envelope, etag } = await send({ method: 'GET', path }, options.requestTimeoutMs, signal);
      return { value: envelope.metadata as T, etag };
    } catch (error) {
      if (error instanceof HostlerError && error.code === 'NotFound') return undefined;
      throw error;
    }
  };
  const post = async <T>(path: string, body: object, signal: AbortSignal): Promise<T> => {
    const request = { method: 'POST' as const, path, body };
    return (await send(request, options.operationTimeoutMs, signal)).envelope.metadata as T;
  };
  const find = async <T>(path: string, signal: AbortSignal) => (await findTagged<T>(path, signal))?.value;

  return {
    find,
    findTagged,
    async get<T>(path: string, signal: AbortSignal) {
      const value = await find<T>(path, signal);
      if (value === undefined) throw new HostlerError('NotFound', `the daemon has no ${path}`);
      return value;
    },
    async tail(path, bytes, signal) {
      const request = { method: 'GET' as const, path, range: `bytes=-${bytes}` };
      const { status, text } = await exchange(request, options.requestTimeoutMs, signal);
      if (status === 404) return undefined;
      if (status >= 400) openEnvelope(status, text);
      return text.slice(-bytes);
    },
    async begin(request, signal) {
      const { envelope } = await send(request, options.requestTimeoutMs, signal);
      if (envelope.type === 'async') return String(envelope.operation);
      throw new HostlerError('Internal', `${request.method} ${request.path} began no operation`);
    },
    async change(request, signal) {
      const timeoutMs = request.timeoutMs ?? options.operationTimeoutMs;
      const beginMs = request.upload === undefined ? options.requestTimeoutMs : timeoutMs;
      const startMs = clock.monotonicMs();
      const { envelope } = await send(request, beginMs, signal);
      if (envelope.type !== 'async') return {};
      const leftMs = timeoutMs - (clock.monotonicMs() - startMs);
      return wait(String(envelope.operation), leftMs, signal);
    },
    post,
    wait,
    close: () => options.pool.destroy(),
  };
}

interface Answer {
  status: number;
  text: string;
  etag: string;
}

/** One request and its answer, whatever it says. */
function createExchange({ pool, clock, metrics }: ApiOptions) {
  return async (request: Request, timeoutMs: number, signal: AbortSignal): Promise<Answer> => {
    if (signal.aborted) throw abortFault(signal);
    const { method, path, body, upload, etag, range } = request;
    const startMs = clock.monotonicMs();
    const deadline = { clock, timeoutMs, what: `${method} ${path}` };
    return withDeadline(deadline, signal, async (within) => {
      try {
        const answer = await pool.request({
          method,
          path,
          headers: { ...headersOf(body, upload, etag), ...(range === undefined ? {} : { range }) },
          body: upload?.bytes ?? (body === undefined ? null : JSON.stringify(body)),
          signal: within,
        });
        const text = await answer.body.text();
        return { status: answer.statusCode, text, etag: String(answer.headers['etag'] ?? '') };
      } catch (error) {
        throw connectionFault(error, within);
      } finally {
        const seconds = (clock.monotonicMs() - startMs) / 1000;
        metrics.observeSeconds('hostler_host_request_duration_seconds', seconds, {
          method,
          resource: resourceOf(path),
        });
      }
    });
  };
}

function resultOf(operation: OperationView, seconds: number): Record<string, unknown> {
  if (operation.status_code === SUCCESS_CODE) return operation.metadata ?? {};
  if (RUNNING_CODES.has(operation.status_code)) {
    throw new HostlerError('Timeout', `the daemon's operation took longer than ${seconds} s`);
  }
  throw daemonFault(0, operation.err === '' ? `the operation ended as ${operation.status}` : operation.err);
}

function openEnvelope(status: number, text: string): Envelope {
  let envelope: Envelope;
  try {
    envelope = JSON.parse(text) as Envelope;
  } catch (cause) {
    throw new HostlerError('Internal', `the daemon answered ${status} with something that is no JSON`, {
      cause,
    });
  }
  if (envelope.type === 'error' || status >= 400) {
    throw daemonFault(envelope.error_code ?? status, envelope.error ?? '');
  }
  // A failed operation's wait is 'sync' with status 200, and in newer daemons has its error up here and no metadata.
  if (envelope.error !== undefined && envelope.error !== '') throw daemonFault(0, envelope.error);
  return envelope;
}

/** A daemon forgets its operations when it restarts: what was asked for may be done, half done or not done. */
function operationGone(error: unknown): never {
  if (error instanceof HostlerError && error.code === 'NotFound' && /operation/i.test(error.message)) {
    throw new HostlerError('Unavailable', 'the daemon restarted during the operation', {
      cause: error,
      details: { lostReply: true },
    });
  }
  throw error;
}

function headersOf(body?: object, upload?: Change['upload'], etag?: string): Record<string, string> {
  return {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(upload === undefined
      ? {}
      : { 'content-type': 'application/octet-stream', 'content-length': String(upload.size) }),
    ...(etag === undefined || etag === '' ? {} : { 'if-match': etag }),
  };
}

/** `/1.0/instances/web/state` is `instances`. */
function resourceOf(path: string): string {
  return path.split(/[/?]/)[2] ?? 'server';
}
