import type { KubeObject } from './object.ts';

/** How the name of a Container becomes that of its instance on the host, and which names can. */

/** Incus takes 63 letters, digits and dashes, beginning with a letter; `--` keeps name and namespace apart. */
export const MAX_INSTANCE_NAME = 63;
export const CONTAINER_NAME_PATTERN = '^[a-z][a-z0-9]*(-[a-z0-9]+)*$';

/** The instance on the host's daemon: `web--default` for the Container `default/web`. */
export function instanceNameOf(container: Pick<KubeObject, 'metadata'>): string {
  return `${container.metadata.name}--${container.metadata.namespace}`;
}

/** @returns why no instance can have the name of `container`; undefined when one can */
export function instanceNameFault(container: Pick<KubeObject, 'metadata'>): string | undefined {
  const { name, namespace = '' } = container.metadata;
  if (!new RegExp(CONTAINER_NAME_PATTERN).test(name)) {
    return 'must begin with a letter, hold lower-case letters, digits and single dashes, and end with a letter or digit';
  }
  if (namespace.includes('--'))
    return `cannot be in namespace ${namespace}: an instance's name is <name>--<namespace>`;
  const length = instanceNameOf(container).length;
  return length > MAX_INSTANCE_NAME
    ? `must be at most ${MAX_INSTANCE_NAME - 2 - namespace.length} characters in namespace ${namespace}`
    : undefined;
}
