import { type Node, nodeKind } from '../crds/node.ts';
import { HostlerError } from '../ports/errors.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { listAll } from '../reconcile/list-all.ts';

/** @throws NotFound that says which ones there are */
export async function getNode(
  { store, signal }: { store: Pick<ObjectStore, 'get' | 'list'>; signal: AbortSignal },
  name: string,
): Promise<Node> {
  const node = await store.get<Node>(nodeKind, { name }, signal);
  if (node !== undefined) return node;
  const { items } = await listAll<Node>(store, nodeKind, {}, signal);
  const known = items.map(({ metadata }) => metadata.name).sort();
  const hint = known.length === 0 ? 'none has registered' : `there are ${known.join(', ')}`;
  throw new HostlerError('NotFound', `There is no node ${name}: ${hint}`);
}
