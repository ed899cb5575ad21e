import type { KubeObject, ResourceRef } from '../crds/object.ts';
import { hasCode } from '../ports/errors.ts';
import type { ListOptions, ObjectList, ObjectStore } from '../ports/object-store.ts';

export type Selection = Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector'>;

/** All pages of one version. A continue token that has expired meanwhile is answered by one list without pages. */
export async function listAll<T extends KubeObject>(
  store: Pick<ObjectStore, 'list'>,
  ref: ResourceRef,
  { pageSize = 500, ...selection }: Selection & { pageSize?: number },
  signal: AbortSignal,
): Promise<ObjectList<T>> {
  const first = await store.list<T>(ref, { ...selection, limit: pageSize }, signal);
  const { items, resourceVersion } = first;
  let token = first.continue;
  try {
    while (token) {
      const page = await store.list<T>(ref, { ...selection, limit: pageSize, continue: token }, signal);
      for (const item of page.items) items.push(item);
      token = page.continue;
    }
  } catch (error) {
    if (!hasCode(error, 'Expired')) throw error;
    return await store.list<T>(ref, selection, signal);
  }
  return { items, resourceVersion };
}
