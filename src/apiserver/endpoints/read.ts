import type { ResourceContext } from './context.ts';
import { objectNameOf } from './context.ts';
import { sendList, sendObject } from './objects.ts';
import { readListQuery } from './query-options.ts';

export async function getObject(context: ResourceContext): Promise<void> {
  const resourceVersion = context.info.query.get('resourceVersion') ?? '';
  const stored = await context.registry.get(
    objectNameOf(context),
    resourceVersion === '' ? undefined : resourceVersion,
    context.call,
  );
  await sendObject(context, 200, stored);
}

export async function listObjects(context: ResourceContext): Promise<void> {
  const query = readListQuery(context.info.query, context.info.namespace);
  await sendList(context, await context.registry.list(query, context.call));
}
