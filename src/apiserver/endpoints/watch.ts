import { apiVersionOf } from '../../crds/object.ts';
import type { StoredEvent, WatchQuery } from '../registry/registry.ts';
import { ApiError, type Status } from '../status.ts';
import { type IncludeObject, partialMetadata, readIncludeObject, tableChunks } from '../table/table.ts';
import { notAcceptable } from './accept.ts';
import type { ResourceContext } from './context.ts';
import { toApiError } from './errors.ts';
import { readWatchQuery } from './query-options.ts';
import type { BodySink } from '../http/exchange.ts';

/**
 * A watch: one JSON frame an event, at the pace of the client. What a slow client does not take piles up in the registry's
 * queue for it, which is bounded: then the registry ends the watch, and the client resumes from where it was.
 */
export async function watchObjects(context: ResourceContext): Promise<void> {
  const { exchange, format, info, signal } = context;
  if (format.encoding !== 'json') throw notAcceptable(['application/json']);
  const includeObject = readIncludeObject(info.query);
  const query = withLimit(withName(readWatchQuery(info.query, info.namespace), info.name));
  const opened = await open(context, query);
  const sink = exchange.begin(200, { ...context.headers(), 'content-type': 'application/json' });
  if ('status' in opened) {
    await sink.write(errorFrame(opened.status));
    sink.end();
    return;
  }
  const toFrame = frameMaker(context, includeObject);
  try {
    for await (const event of opened.events) {
      if (signal.aborted) break;
      const waiting = sink.write(toFrame(event));
      if (waiting !== undefined) await unlessStalled(context, waiting);
    }
  } catch (error) {
    await sendFault(sink, error, signal);
  }
  sink.end();
}

/** A position that is gone is told inside the watch, as in Kubernetes; any other refusal is the answer itself. */
async function open(
  context: ResourceContext,
  query: WatchQuery,
): Promise<{ events: AsyncIterable<StoredEvent> } | { status: Status }> {
  try {
    return { events: await context.registry.watch(query, context.call) };
  } catch (error) {
    if (error instanceof ApiError && error.status.code === 410) return { status: error.status };
    throw error;
  }
}

/** A client that takes nothing for so long has gone without saying so, or never meant to read. */
const STALLED_MS = 60_000;

async function unlessStalled({ clock, exchange }: ResourceContext, waiting: Promise<void>): Promise<void> {
  const timer = clock.schedule(STALLED_MS, () => exchange.abort());
  try {
    await waiting;
  } finally {
    timer.cancel();
  }
}

/** Nothing can be said any more to a client that has gone; that is how most watches end. */
async function sendFault(sink: BodySink, error: unknown, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await sink.write(errorFrame(toApiError(error).status));
}

const MIN_SECONDS = 1800;

/** Without a limit of the client's own, watches end between half an hour and an hour, spread so that they do not all return at once. */
function withLimit(query: WatchQuery): WatchQuery {
  return { timeoutSeconds: MIN_SECONDS + Math.floor(Math.random() * MIN_SECONDS), ...query };
}

/** The deprecated `/watch/…/<name>` paths. */
function withName(query: WatchQuery, name: string | undefined): WatchQuery {
  if (name === undefined || query.fieldSelector?.includes('metadata.name')) return query;
  const own = `metadata.name=${name}`;
  return {
    ...query,
    fieldSelector: query.fieldSelector === undefined ? own : `${query.fieldSelector},${own}`,
  };
}

const frame = (type: string, object: unknown): Buffer => Buffer.from(`${JSON.stringify({ type, object })}\n`);

const errorFrame = (status: Status): Buffer => frame('ERROR', status);

type Bookmark = Extract<StoredEvent, { type: 'BOOKMARK' }>;

function frameMaker(context: ResourceContext, includeObject: IncludeObject): (event: StoredEvent) => Buffer {
  const { format } = context;
  if (format.as === 'Table') return tableFrames(context, includeObject);
  if (format.as === 'PartialObjectMetadata') {
    return (event) =>
      event.type === 'BOOKMARK'
        ? frame('BOOKMARK', {
            ...bookmarkObject(context, event),
            kind: 'PartialObjectMetadata',
            apiVersion: `meta.k8s.io/${format.version}`,
          })
        : frame(event.type, partialMetadata(event.stored.object, format.version));
  }
  return (event) =>
    event.type === 'BOOKMARK' ? frame('BOOKMARK', bookmarkObject(context, event)) : event.frame();
}

function bookmarkObject({ registry }: ResourceContext, event: Bookmark) {
  const { kind } = registry.definition;
  return {
    kind,
    apiVersion: apiVersionOf(registry.definition),
    metadata: {
      resourceVersion: String(event.resourceVersion),
      creationTimestamp: null,
      ...(event.initialEventsEnd === true ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
    },
  };
}

/** Each event is a Table of one row; only the first says the columns. */
function tableFrames(context: ResourceContext, includeObject: IncludeObject): (event: StoredEvent) => Buffer {
  const { registry, format, clock } = context;
  let withColumns = true;
  return (event) => {
    if (event.type === 'BOOKMARK') {
      const row = { cells: [], object: bookmarkObject(context, event) };
      const apiVersion = `meta.k8s.io/${format.version}`;
      const { metadata } = row.object;
      return frame('BOOKMARK', { kind: 'Table', apiVersion, metadata, columnDefinitions: null, rows: [row] });
    }
    const { stored, type } = event;
    const metadata = { resourceVersion: String(stored.resourceVersion) };
    const options = { version: format.version, includeObject, nowMs: clock.nowMs(), withColumns };
    withColumns = false;
    const table = Buffer.concat(tableChunks(registry.definition, [stored], metadata, options));
    const end = table.length - 1;
    return Buffer.concat([
      Buffer.from(`{"type":"${type}","object":`),
      table.subarray(0, end),
      Buffer.from('}\n'),
    ]);
  };
}
