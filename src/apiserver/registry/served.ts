import type { ResourceDefinition } from '../resource.ts';
import type { ResourceCache } from '../watch/cache.ts';
import type { Reader } from './reader.ts';
import type { Call } from './registry.ts';
import type { ResourceRegistry } from './resource-registry.ts';

/** One resource as the API server's own loops (garbage collection, namespaces, expiry) use it. */
export interface Served {
  definition: ResourceDefinition;
  registry: ResourceRegistry;
  cache: ResourceCache;
  reader: Reader;
}

/** A call of the API server itself. */
export function internalCall(name: string, signal: AbortSignal): Call {
  return { user: { name: `system:hostler:${name}`, groups: ['system:masters'] }, signal, warn() {} };
}
