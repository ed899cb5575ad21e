import type { Registry } from '../registry/registry.ts';
import { type ApiError, methodNotSupported, noSuchPath } from '../status.ts';
import type { ResourceContext } from './context.ts';
import { getObject, listObjects } from './read.ts';
import type { ResourceRequest, Verb } from './request-info.ts';
import { watchObjects } from './watch.ts';
import { createObject, deleteObject, deleteObjects, patchObject, updateObject } from './write.ts';

/** Which endpoint serves a verb, and which verbs a path has. */

export const ENDPOINTS: Readonly<Record<Verb, (context: ResourceContext) => Promise<void>>> = {
  get: getObject,
  list: listObjects,
  watch: watchObjects,
  create: createObject,
  update: updateObject,
  patch: patchObject,
  delete: deleteObject,
  deletecollection: deleteObjects,
};

const STATUS_VERBS = new Set<Verb>(['get', 'update', 'patch']);
const OBJECT_VERBS = new Set<Verb>(['get', 'update', 'patch', 'delete']);

export interface RegistryLookup {
  lookup(group: string, version: string, resource: string): Registry | undefined;
  all(): readonly Registry[];
}

/**
 * The registry that serves the request. @throws ApiError 404 when the path is not served, 405 when its verb is not
 */
export function registryFor(info: ResourceRequest, registries: RegistryLookup): Registry {
  const registry = registries.lookup(info.group, info.version, info.resource);
  if (registry === undefined) throw noSuchPath();
  const fault = faultOf(info, registry);
  if (fault !== undefined) throw fault;
  return registry;
}

function faultOf(info: ResourceRequest, { definition }: Registry): ApiError | undefined {
  const { verb, namespace, subresource } = info;
  // Made only when needed: an error costs a tenth of a millisecond for its stack.
  const unsupported = (): ApiError => methodNotSupported(definition, verb);
  if (subresource !== undefined) {
    const isServed =
      subresource === 'approval'
        ? definition.hasApproval === true
        : subresource === 'status' && definition.hasStatus;
    if (!isServed) return noSuchPath();
    if (!STATUS_VERBS.has(verb)) return unsupported();
  }
  const isInNamespace = namespace !== undefined && info.resource !== 'namespaces';
  if (isInNamespace && !definition.namespaced) return noSuchPath();
  if (definition.unsupportedVerbs?.includes(verb)) return unsupported();
  // Everything about one object, and every change, is about one namespace.
  const isAcrossNamespaces = definition.namespaced && namespace === undefined;
  if (isAcrossNamespaces && verb !== 'list' && verb !== 'watch') {
    return info.name === undefined ? unsupported() : noSuchPath();
  }
  if (info.name === undefined && OBJECT_VERBS.has(verb)) return unsupported();
  if (info.name !== undefined && verb === 'create') return unsupported();
  return undefined;
}
