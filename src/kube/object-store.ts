import { apiVersionOf, type KubeObject, type ResourceRef } from '../crds/object.ts';
import { type Clock, systemClock } from '../ports/clock.ts';
import { withDeadline } from '../ports/deadline.ts';
import { errorCode, HostlerError } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { type Metrics, noMetrics } from '../ports/metrics.ts';
import type { ObjectList, ObjectStore, WatchEvent, WatchOptions } from '../ports/object-store.ts';
import type { ClientCertificate } from './client-certificate.ts';
import type { HttpRequest, HttpResponse } from './connection.ts';
import { linesOf } from './frames.ts';
import { collectionPath, listQuery, objectPath, watchQuery } from './paths.ts';
import { errorFromStatus, saysNoSuchObject } from './status-error.ts';
import { abortError, createTransport, type Transport } from './transport.ts';

export interface ObjectStoreOptions {
  /** Path of a kubeconfig, or of several, as `KUBECONFIG` lists them; read again for each new connection. */
  kubeConfig: string;
  /** Default: the current one of the kubeconfig. */
  context?: string;
  /** Base URLs of several API servers, tried in this order. Default: the kubeconfig's. */
  servers?: readonly string[];
  /** What is used in place of the kubeconfig's certificate, once there is a later one. */
  clientCertificate?: Pick<ClientCertificate, 'over'>;
  userAgent: string;
  logger: Logger;
  metrics?: Metrics;
  clock?: Clock;
  /** Milliseconds for a whole call, and for a watch to begin. @defaultValue 15_000 */
  requestTimeoutMs?: number;
  /** @defaultValue 5_000 */
  connectTimeoutMs?: number;
  /** Whether a call without an answer ends the connection, with all else on it. @defaultValue false */
  resetOnTimeout?: boolean;
  /**
   * Milliseconds between pings; a dead connection is noticed after at most twice as many.
   * @defaultValue 5_000; 2_000 where there are several servers
   */
  pingMs?: number;
}

/** An ObjectStore that has a connection. */
export interface ConnectedStore extends ObjectStore {
  /** New calls go over a new connection, made with what is known by now; those under way stay. */
  reconnect(): void;
  close(): void;
}

/** The Kubernetes API over HTTPS: the embedded API server's, or any other's. */
export function createObjectStore(options: ObjectStoreOptions): ConnectedStore {
  const { clock = systemClock, metrics = noMetrics, requestTimeoutMs = 15_000 } = options;
  const { connectTimeoutMs = 5_000 } = options;
  const transport = createTransport({ ...options, clock, connectTimeoutMs });
  const api: Api = { transport, clock, metrics, requestTimeoutMs };

  return {
    reconnect: () => transport.reconnect(),
    close: () => transport.close(),
    async get<T extends KubeObject>(
      ref: ResourceRef,
      key: { namespace?: string; name: string },
      signal: AbortSignal,
    ) {
      try {
        return await call<T>(api, ref, { method: 'GET', path: objectPath(ref, key) }, signal);
      } catch (error) {
        if (saysNoSuchObject(error, key.name)) return undefined;
        throw error;
      }
    },
    async list<T extends KubeObject>(
      ref: ResourceRef,
      { namespace, ...selection }: { namespace?: string },
      signal: AbortSignal,
    ) {
      const path = `${collectionPath(ref, namespace)}${listQuery(selection)}`;
      return toList<T>(ref, await call<RawList<T>>(api, ref, { method: 'GET', path }, signal));
    },
    watch: (ref, watch, signal) => watchEvents(api, ref, watch, signal),
    create: (ref, object, signal) => {
      const path = collectionPath(ref, ref.namespaced ? needNamespace(ref, object) : undefined);
      return call(api, ref, { method: 'POST', path, body: object }, signal);
    },
    update: (ref, object, signal) => replace(api, ref, object, undefined, signal),
    updateStatus: (ref, object, signal) => replace(api, ref, object, 'status', signal),
    mergePatch: (ref, key, { body, subresource }, signal) => {
      const path = objectPath(ref, key, subresource);
      return call(
        api,
        ref,
        { method: 'PATCH', path, body, contentType: 'application/merge-patch+json' },
        signal,
      );
    },
    async delete(ref, key, preconditions, signal) {
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions,
        propagationPolicy: 'Background',
      };
      try {
        await call(api, ref, { method: 'DELETE', path: objectPath(ref, key), body }, signal);
      } catch (error) {
        if (!saysNoSuchObject(error, key.name)) throw error;
      }
    },
  };
}

interface Api {
  transport: Transport;
  clock: Clock;
  metrics: Metrics;
  requestTimeoutMs: number;
}

interface Request {
  method: HttpRequest['method'];
  path: string;
  body?: object;
  contentType?: string;
}

interface RawList<T> {
  metadata?: { resourceVersion?: string; continue?: string };
  items?: T[] | null;
}

type RawEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: T }
  | { type: 'ERROR'; object: unknown };

/** One request and its whole answer, counted and under the deadline. */
async function call<T>(api: Api, ref: ResourceRef, request: Request, signal: AbortSignal): Promise<T> {
  return await counted(api, ref, request.method, async () =>
    underDeadline(api, request, signal, async (inner) => {
      const response = await api.transport.request(toHttp(request), inner);
      const text = await textOf(response, request.method, inner);
      if (response.status >= 400) throw refusal(response, text);
      return parseBody(text) as T;
    }),
  );
}

async function underDeadline<T>(
  { clock, transport, requestTimeoutMs }: Api,
  { method, path }: Request,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    return await withDeadline({ clock, timeoutMs: requestTimeoutMs, what: `${method} ${path}` }, signal, run);
  } catch (error) {
    if (errorCode(error) === 'Timeout') transport.suspect();
    throw error;
  }
}

async function counted<T>(api: Api, ref: ResourceRef, verb: string, run: () => Promise<T>): Promise<T> {
  const labels = { verb, resource: ref.resource };
  const startMs = api.clock.monotonicMs();
  let code = 'OK';
  try {
    return await run();
  } catch (error) {
    code = errorCode(error);
    throw error;
  } finally {
    api.metrics.count('hostler_api_requests_total', { ...labels, code });
    const seconds = (api.clock.monotonicMs() - startMs) / 1_000;
    api.metrics.observeSeconds('hostler_api_request_duration_seconds', seconds, labels);
  }
}

async function* watchEvents<T extends KubeObject>(
  api: Api,
  ref: ResourceRef,
  { namespace, ...selection }: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>> {
  const request: Request = {
    method: 'GET',
    path: `${collectionPath(ref, namespace)}${watchQuery(selection)}`,
  };
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const response = await counted(api, ref, 'WATCH', () => begin(api, request, stop));
    for await (const line of linesOf(response.body)) yield toEvent<T>(line);
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    if (error instanceof HostlerError) throw error;
    throw new HostlerError('Unavailable', `The watch of ${ref.resource} was cut off`, { cause: error });
  } finally {
    signal.removeEventListener('abort', onAbort);
    stop.abort(new HostlerError('Aborted', 'The watch has ended'));
  }
}

/** The beginning of a watch has the deadline of a request; what follows has none. */
async function begin(api: Api, request: Request, stop: AbortController): Promise<HttpResponse> {
  return await underDeadline(api, request, stop.signal, async (inner) => {
    const giveUp = (): void => stop.abort(inner.reason);
    inner.addEventListener('abort', giveUp, { once: true });
    const response = await api.transport.request(toHttp(request), stop.signal);
    if (response.status >= 400) throw refusal(response, await textOf(response, 'GET', stop.signal));
    inner.removeEventListener('abort', giveUp);
    return response;
  });
}

function toEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  const event = parseBody(line) as RawEvent<T>;
  if (event.type === 'ERROR') {
    throw errorFromStatus((event.object as { code?: number } | null)?.code ?? 500, event.object);
  }
  if (event.type !== 'BOOKMARK') return { type: event.type, object: event.object };
  return { type: 'BOOKMARK', resourceVersion: event.object.metadata.resourceVersion ?? '' };
}

function replace<T extends KubeObject>(
  api: Api,
  ref: ResourceRef,
  object: T,
  subresource: 'status' | undefined,
  signal: AbortSignal,
): Promise<T> {
  if (!object.metadata.resourceVersion) {
    throw new HostlerError(
      'Invalid',
      `${ref.kind} ${object.metadata.name}: resourceVersion must be set for an update`,
    );
  }
  return call(
    api,
    ref,
    { method: 'PUT', path: objectPath(ref, object.metadata, subresource), body: object },
    signal,
  );
}

/** Kubernetes leaves apiVersion and kind out of the items of built-in kinds. */
function toList<T extends KubeObject>(ref: ResourceRef, { metadata, items }: RawList<T>): ObjectList<T> {
  for (const item of items ?? []) {
    item.apiVersion ??= apiVersionOf(ref);
    item.kind ??= ref.kind;
  }
  return {
    items: items ?? [],
    resourceVersion: metadata?.resourceVersion ?? '',
    ...(metadata?.continue ? { continue: metadata.continue } : {}),
  };
}

function toHttp({ method, path, body, contentType = 'application/json' }: Request): HttpRequest {
  if (body === undefined) return { method, path, headers: { accept: 'application/json' } };
  const bytes = Buffer.from(JSON.stringify(body));
  return { method, path, headers: { accept: 'application/json', 'content-type': contentType }, body: bytes };
}

async function textOf(
  { body }: HttpResponse,
  method: HttpRequest['method'],
  signal: AbortSignal,
): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk);
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    const code = method === 'GET' ? 'Unavailable' : 'Timeout';
    throw new HostlerError(code, 'The answer of the API was cut off', { cause: error });
  }
  return Buffer.concat(chunks).toString('utf8');
}

function refusal({ status, headers }: HttpResponse, text: string): HostlerError {
  const isJson = text.startsWith('{');
  const body: unknown = isJson ? parseBody(text) : text;
  return errorFromStatus(status, body, headers['retry-after']);
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HostlerError('Internal', 'The API answered with something that is not JSON', { cause: error });
  }
}

function needNamespace(ref: ResourceRef, { metadata: { name, namespace } }: KubeObject): string {
  if (namespace === undefined) throw new HostlerError('Invalid', `${ref.kind} ${name} needs a namespace`);
  return namespace;
}
