import type { ResourceRef } from '../crds/object.ts';
import { HostlerError } from '../ports/errors.ts';
import type { ListOptions, ObjectKey, WatchOptions } from '../ports/object-store.ts';

/** `/api/v1/namespaces/<namespace>/<resource>`; without a namespace the objects of all of them. */
export function collectionPath(ref: ResourceRef, namespace: string | undefined): string {
  const root = ref.group === '' ? `/api/${ref.version}` : `/apis/${ref.group}/${ref.version}`;
  if (!ref.namespaced || namespace === undefined) return `${root}/${ref.resource}`;
  return `${root}/namespaces/${encodeURIComponent(namespace)}/${ref.resource}`;
}

/** @throws Invalid when the namespace of a namespaced object, or the name, is missing */
export function objectPath(ref: ResourceRef, { namespace, name }: ObjectKey, subresource?: 'status'): string {
  if (!name || (ref.namespaced && !namespace)) {
    throw new HostlerError(
      'Invalid',
      `A ${ref.kind} needs a name${ref.namespaced ? ' and a namespace' : ''}`,
    );
  }
  const path = `${collectionPath(ref, namespace)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

export function listQuery(options: Omit<ListOptions, 'namespace'>): string {
  return query({
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    limit: options.limit,
    continue: options.continue,
    resourceVersion: options.resourceVersion,
  });
}

export function watchQuery(options: Omit<WatchOptions, 'namespace'>): string {
  return query({
    watch: true,
    allowWatchBookmarks: true,
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    resourceVersion: options.resourceVersion,
    timeoutSeconds: options.timeoutSeconds,
  });
}

function query(parameters: Record<string, string | number | boolean | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) search.set(name, String(value));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}
