/** A container by the key of its work, and by its instance. */
export interface ContainerKey {
  namespace: string;
  name: string;
  /** As `instanceNameOf` makes it. */
  instance: string;
}

/** @returns undefined when `key` is not `namespace/name` */
export function parseContainerKey(key: string): ContainerKey | undefined {
  const [namespace, name, ...rest] = key.split('/');
  if (!namespace || !name || rest.length > 0) return undefined;
  return { namespace, name, instance: `${name}--${namespace}` };
}

/**
 * The key of an instance: the reverse of `instanceNameOf`.
 * @returns undefined when no Container has such an instance
 */
export function keyOfInstance(instance: string): string | undefined {
  const at = instance.indexOf('--');
  const [name, namespace] = [instance.slice(0, at), instance.slice(at + 2)];
  return at <= 0 || namespace === '' ? undefined : `${namespace}/${name}`;
}
