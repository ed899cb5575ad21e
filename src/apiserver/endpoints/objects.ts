import { apiVersionOf } from '../../crds/object.ts';
import type { StoredList, StoredObject } from '../registry/registry.ts';
import { partialMetadata, readIncludeObject, tableChunks } from '../table/table.ts';
import type { ResourceContext } from './context.ts';
import { sendDocument, sendJson, sendValue } from './respond.ts';

/** Answers with one object or a list of them, in the form that was asked for. */

export function sendObject(context: ResourceContext, code: number, stored: StoredObject): Promise<void> {
  const { exchange, format, pretty } = context;
  if (format.as === 'PartialObjectMetadata') {
    const value = partialMetadata(stored.object, format.version);
    return sendValue(exchange, context.headers(), { code, value, format, pretty });
  }
  const chunks =
    format.as === 'Table'
      ? tableOf(context, [stored], { resourceVersion: String(stored.resourceVersion) })
      : [stored.json(), NEWLINE];
  return sendDocument(exchange, context.headers(), { code, chunks, format, pretty });
}

export function sendList(context: ResourceContext, list: StoredList): Promise<void> {
  const { exchange, format, pretty } = context;
  const metadata = {
    resourceVersion: String(list.resourceVersion),
    ...(list.continue === undefined ? {} : { continue: list.continue }),
    ...(list.remainingItemCount === undefined ? {} : { remainingItemCount: list.remainingItemCount }),
  };
  if (format.as === 'PartialObjectMetadata') {
    const value = {
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${format.version}`,
      metadata,
      items: list.items.map(({ object }) => partialMetadata(object, format.version)),
    };
    return sendValue(exchange, context.headers(), { code: 200, value, format, pretty });
  }
  const chunks =
    format.as === 'Table' ? tableOf(context, list.items, metadata) : listChunks(context, list, metadata);
  if (format.encoding === 'json' && !pretty) {
    return sendJson(exchange, context.headers(), { code: 200, chunks });
  }
  return sendDocument(exchange, context.headers(), { code: 200, chunks, format, pretty });
}

const NEWLINE = Buffer.from('\n');
const COMMA = Buffer.from(',');
const END = Buffer.from(']}\n');

function listChunks({ registry }: ResourceContext, list: StoredList, metadata: object): Buffer[] {
  const { definition } = registry;
  const head = { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata };
  const chunks: Buffer[] = [Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`)];
  for (const [position, item] of list.items.entries()) {
    if (position > 0) chunks.push(COMMA);
    chunks.push(item.json());
  }
  chunks.push(END);
  return chunks;
}

function tableOf(context: ResourceContext, items: readonly StoredObject[], metadata: object): Buffer[] {
  return tableChunks(context.registry.definition, items, metadata, {
    version: context.format.version,
    includeObject: readIncludeObject(context.info.query),
    nowMs: context.clock.nowMs(),
    withColumns: true,
  });
}
