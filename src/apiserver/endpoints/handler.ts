import { randomUUID } from 'node:crypto';
import { NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { type Attributes, denial } from '../auth/attributes.ts';
import type { Authorizer, Restriction } from '../auth/authorizer.ts';
import { ADMIN_GROUP, type UserInfo } from '../auth/user.ts';
import type { DiscoveryEndpoint } from '../discovery/serve.ts';
import { type HealthCheck, serveHealth } from '../health/health.ts';
import { CLOSED, type Exchange } from '../http/exchange.ts';
import { ApiError, forbidden, noSuchPath, timeout, tooManyRequests, unauthorized } from '../status.ts';
import { negotiate } from './accept.ts';
import { toApiError } from './errors.ts';
import type { Counted, InflightLimit } from './inflight.ts';
import { readPretty, unknownParameters } from './query-options.ts';
import { type Headers, sendStatus } from './respond.ts';
import { parseRequest, type RequestInfo, type ResourceRequest } from './request-info.ts';
import { ENDPOINTS, registryFor, type RegistryLookup } from './resources.ts';
import { serveReview } from './reviews.ts';
import { serveServices } from './services.ts';
import { createWarnings, type Warnings } from './warnings.ts';

/**
 * Every request, from its arrival to its answer: who asks, what for, whether they may, and the endpoint that serves it.
 * Whatever is thrown on the way becomes a `Status`. Nothing is answered to somebody unknown but the health endpoints.
 */
export interface HandlerDeps {
  registries: RegistryLookup;
  authorizer: Authorizer;
  discovery: DiscoveryEndpoint;
  healthChecks: readonly HealthCheck[];
  metricsText: () => Promise<string>;
  inflight: InflightLimit;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  /** Aborted when the server stops: ends watches. */
  stopping: AbortSignal;
  /** For requests other than watches. */
  requestTimeoutMs: number;
}

/** One request on its way. */
interface Request {
  exchange: Exchange;
  info: RequestInfo;
  warnings: Warnings;
  /** Aborted when the client has gone, and at the deadline. */
  abort: AbortController;
  headers: () => Headers;
}

export function createHandler(deps: HandlerDeps): (exchange: Exchange) => void {
  return (exchange) => {
    // `handle` answers its own failures; what is left is a broken connection.
    handle(deps, exchange).catch((error: unknown) => {
      deps.logger.debug({ err: error, method: exchange.method }, 'request cut short');
      exchange.abort();
    });
  };
}

async function handle(deps: HandlerDeps, exchange: Exchange): Promise<void> {
  const startMs = deps.clock.monotonicMs();
  const warnings = createWarnings();
  const base: Headers = {
    'audit-id': auditId(exchange.header('audit-id')),
    'cache-control': 'no-cache, private',
  };
  const headers = (): Headers => ({ ...base, ...warnings.headers() });
  let info: RequestInfo | undefined;
  let code = 200;
  try {
    info = parseRequest(exchange.method, exchange.target);
    await withDeadline(deps, exchange, info, headers, (abort) =>
      serve(deps, { exchange, info: info as RequestInfo, warnings, abort, headers }),
    );
  } catch (error) {
    code = answerFault(deps, exchange, error, headers());
  } finally {
    measure(deps, info, code, startMs);
  }
}

async function serve(deps: HandlerDeps, request: Request): Promise<void> {
  const { exchange, info, headers } = request;
  const user = userOf(exchange, deps.clock);
  if (!info.isResource) {
    const { path, query } = info;
    const showsReasons = user?.groups.includes(ADMIN_GROUP) === true;
    const health = { path, query, headers: headers(), showsReasons };
    if (await serveHealth(exchange, health, deps.healthChecks)) return;
  }
  if (user === undefined) throw unauthorized();
  const restriction = await authorize(deps.authorizer, attributesOf(info, user));
  if (!info.isResource) return servePath(deps, request);
  const leave = enter(deps.inflight, info);
  try {
    await serveResource(deps, { ...request, info, user, restriction });
  } finally {
    leave();
  }
}

async function servePath(deps: HandlerDeps, { exchange, info, headers }: Request): Promise<void> {
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD') throw noSuchPath();
  if (info.path === '/metrics') {
    const text = await deps.metricsText();
    exchange.respond(200, { ...headers(), 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }, text);
    return;
  }
  if (await deps.discovery.serve(exchange, info.path, headers())) return;
  if (info.path !== '/') throw noSuchPath();
  const paths = [
    '/api',
    '/apis',
    '/healthz',
    '/livez',
    '/metrics',
    '/openapi/v2',
    '/openapi/v3',
    '/readyz',
    '/version',
  ];
  exchange.respond(
    200,
    { ...headers(), 'content-type': 'application/json' },
    `${JSON.stringify({ paths })}\n`,
  );
}

async function serveResource(
  deps: HandlerDeps,
  request: Request & { info: ResourceRequest; user: UserInfo; restriction: Restriction | undefined },
): Promise<void> {
  const { exchange, info, user, headers, warnings, abort, restriction } = request;
  for (const name of unknownParameters(info.query)) {
    warnings.warn(`unknown query parameter ${JSON.stringify(name)} is ignored`);
  }
  if (await serveReview(exchange, { info, user, headers: headers() }, deps.authorizer)) return;
  if (await serveServices(exchange, info, headers())) return;
  const registry = registryFor(info, deps.registries);
  await ENDPOINTS[info.verb]({
    exchange,
    info,
    registry,
    user,
    restriction,
    headers,
    format: negotiate(exchange.header('accept')),
    pretty: readPretty(info.query),
    signal: abort.signal,
    call: { user, signal: abort.signal, ending: deps.stopping, warn: (message) => warnings.warn(message) },
    clock: deps.clock,
  });
}

/** Runs `work` with a signal that ends it; a request that passes its deadline is answered 504, or cut when it is half answered. */
async function withDeadline(
  deps: HandlerDeps,
  exchange: Exchange,
  info: RequestInfo,
  headers: () => Headers,
  work: (abort: AbortController) => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  const onEnd = (): void => abort.abort(CLOSED);
  exchange.closed.addEventListener('abort', onEnd, { once: true });
  if (info.isResource && info.verb === 'watch') {
    try {
      return await work(abort);
    } finally {
      exchange.closed.removeEventListener('abort', onEnd);
    }
  }
  const timer = deps.clock.schedule(deps.requestTimeoutMs, () => {
    if (exchange.isAnswered) exchange.abort();
    else sendStatus(exchange, headers(), deadlinePassed().status);
    abort.abort();
  });
  try {
    return await work(abort);
  } finally {
    timer.cancel();
    exchange.closed.removeEventListener('abort', onEnd);
  }
}

const deadlinePassed = (): ApiError =>
  timeout('Timeout: request did not complete within the allotted timeout');

/** The user, while their certificate is good: connections outlive certificates. */
function userOf({ peer }: Exchange, clock: Clock): UserInfo | undefined {
  return peer === undefined || peer.notAfterMs <= clock.nowMs() ? undefined : peer.user;
}

function attributesOf(info: RequestInfo, user: UserInfo): Attributes {
  if (!info.isResource) return { isResource: false, user, verb: info.verb, path: info.path };
  const { verb, group, version, resource, subresource, namespace, name } = info;
  const isSelecting = verb === 'list' || verb === 'watch';
  const fieldSelector = isSelecting ? info.query.get('fieldSelector') : null;
  return {
    isResource: true,
    user,
    verb,
    group,
    version,
    resource,
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(fieldSelector === null ? {} : { fieldSelector }),
  };
}

/** @throws ApiError 403 */
async function authorize(authorizer: Authorizer, attributes: Attributes): Promise<Restriction | undefined> {
  const decision = await authorizer.authorize(attributes);
  if (decision.allowed) return decision.restriction;
  const why = denial(attributes, decision.reason);
  if (!attributes.isResource) throw new ApiError(403, 'Forbidden', `forbidden: ${why}`, {});
  const { group, resource, name = '' } = attributes;
  throw forbidden({ group, resource, kind: '' }, name, why);
}

/** @throws ApiError 429 */
function enter(inflight: InflightLimit, info: ResourceRequest): () => void {
  if (info.verb === 'watch') return () => undefined;
  const leave = inflight.enter(countedAs(info));
  if (leave === undefined) throw tooManyRequests('Too many requests, please try again later.', 1);
  return leave;
}

function countedAs({ verb, resource, namespace }: ResourceRequest): Counted {
  if (resource === 'leases' && namespace === NODE_LEASE_NAMESPACE) return 'nodeLeases';
  return verb === 'get' || verb === 'list' ? 'reads' : 'writes';
}

/** @returns the status that the request ended with */
function answerFault(deps: HandlerDeps, exchange: Exchange, error: unknown, headers: Headers): number {
  const fault = toApiError(error);
  const { code } = fault.status;
  if (exchange.closed.aborted) return code;
  if (code === 500) deps.logger.error({ err: error, path: exchange.target.split('?')[0] }, 'request failed');
  if (exchange.isAnswered) exchange.abort();
  else sendStatus(exchange, headers, fault.status);
  return code;
}

function measure(deps: HandlerDeps, info: RequestInfo | undefined, code: number, startMs: number): void {
  const isResource = info?.isResource === true;
  const isServed =
    isResource && deps.registries.lookup(info.group, info.version, info.resource) !== undefined;
  // Only names that are served become label values: others would let anybody make series without end.
  const resource = isServed ? info.resource : '';
  const verb = isResource ? info.verb : (KNOWN_METHODS.get(info?.verb ?? '') ?? 'other');
  deps.metrics.count('hostler_apiserver_requests_total', { verb, resource, code: String(code) });
  if (verb === 'watch') return;
  const seconds = (deps.clock.monotonicMs() - startMs) / 1000;
  deps.metrics.observeSeconds('hostler_apiserver_request_duration_seconds', seconds, { verb, resource });
}

const KNOWN_METHODS = new Map(['get', 'head', 'post', 'put', 'patch', 'delete'].map((name) => [name, name]));

function auditId(sent: string | undefined): string {
  return sent !== undefined && /^[\w-]{1,64}$/.test(sent) ? sent : randomUUID();
}
