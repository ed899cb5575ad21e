import { badRequest } from '../status.ts';

/** What a request asks for, read off its method and path as Kubernetes does. */
export type RequestInfo = ResourceRequest | PathRequest;

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

export interface ResourceRequest {
  isResource: true;
  verb: Verb;
  path: string;
  query: URLSearchParams;
  /** Empty for the core group. */
  group: string;
  version: string;
  namespace?: string;
  resource: string;
  name?: string;
  subresource?: string;
}

/** Discovery, health, metrics: everything that is no resource. */
export interface PathRequest {
  isResource: false;
  /** The method in lower case. */
  verb: string;
  path: string;
  query: URLSearchParams;
}

const VERBS: Record<string, Verb> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
/** Of namespaces, these are sub-resources; anything else after `namespaces/<name>/` is a resource in the namespace. */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

/** @throws ApiError 400 when the path is not percent-encoded properly */
export function parseRequest(method: string, target: string): RequestInfo {
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1));
  const other: PathRequest = { isResource: false, verb: method.toLowerCase(), path, query };
  const parts = path.split('/').filter((part) => part !== '');
  const verb = VERBS[method];
  if (verb === undefined) return other;
  const prefixLength = parts[0] === 'api' ? 2 : parts[0] === 'apis' ? 3 : undefined;
  if (prefixLength === undefined || parts.length <= prefixLength) return other;
  const decoded = parts.map(decodePart);
  const group = prefixLength === 3 ? (decoded[1] as string) : '';
  const version = decoded[prefixLength - 1] as string;
  const place = placeOf(decoded.slice(prefixLength));
  if (place === undefined) return other;
  const { isWatch, ...target_ } = place;
  const request: ResourceRequest = { isResource: true, verb, path, query, group, version, ...target_ };
  return withCollectionVerb(request, isWatch);
}

interface Place {
  isWatch: boolean;
  namespace?: string;
  resource: string;
  name?: string;
  subresource?: string;
}

function placeOf(parts: string[]): Place | undefined {
  const isWatch = parts[0] === 'watch';
  let rest = isWatch ? parts.slice(1) : parts;
  let namespace: string | undefined;
  if (rest[0] === 'namespaces' && rest[1] !== undefined) {
    namespace = rest[1];
    if (rest[2] !== undefined && !NAMESPACE_SUBRESOURCES.has(rest[2])) rest = rest.slice(2);
  }
  const [resource, name, subresource, ...more] = rest;
  if (resource === undefined || more.length > 0) return undefined;
  return {
    isWatch,
    resource,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

/** GET and DELETE without a name are about the collection; the deprecated /watch/ paths are a watch even with one. */
function withCollectionVerb(request: ResourceRequest, isWatchPath: boolean): ResourceRequest {
  if (isWatchPath) {
    if (request.verb === 'get') return { ...request, verb: 'watch' };
    return request;
  }
  if (request.name !== undefined) return request;
  if (request.verb === 'delete') return withSelectedName({ ...request, verb: 'deletecollection' });
  if (request.verb !== 'get') return request;
  const isWatch = ['true', '1', 'True', 'TRUE', 't', 'T'].includes(request.query.get('watch') ?? '');
  return withSelectedName({ ...request, verb: isWatch ? 'watch' : 'list' });
}

/**
 * A list of the one object that `metadata.name` selects is authorized like that object. A backslash may hide that what looks
 * like a term is part of a value.
 */
function withSelectedName(request: ResourceRequest): ResourceRequest {
  const selector = request.query.get('fieldSelector') ?? '';
  if (selector.includes('\\')) return request;
  const [, name] = /(?:^|,)metadata\.name==?([^,=!]+)(?:,|$)/.exec(selector) ?? [];
  return name === undefined ? request : { ...request, name };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw badRequest(`invalid URL escape ${JSON.stringify(part)}`);
  }
}
