import type { ResourceDefinition } from '../resource.ts';
import type { ObjectName } from './registry.ts';

/** Where objects are in the store: `<root><group or core>/<resource>/[<namespace>/]<name>`. */
export const ROOT = '/hostler/registry/';

export function prefixOf({ group, resource }: Pick<ResourceDefinition, 'group' | 'resource'>): string {
  return `${ROOT}${group === '' ? 'core' : group}/${resource}/`;
}

export function keyBelow(prefix: string, { namespace, name }: ObjectName): string {
  return namespace === undefined ? prefix + name : `${prefix}${namespace}/${name}`;
}
