import { promisify } from 'node:util';
import { constants, createGzip, gzip } from 'node:zlib';
import { once } from 'node:events';
import { stringify } from 'yaml';
import type { BodySink, Exchange, ResponseHeaders } from '../http/exchange.ts';
import type { Status } from '../status.ts';
import type { Format } from './accept.ts';

/** Writes answers: media types, compression, and the headers that every answer has. */

const gzipAsync = promisify(gzip);
/** As in kube-apiserver: below this, compression costs more than it saves. */
const GZIP_FROM_BYTES = 128 * 1024;
const PIECE_BYTES = 256 * 1024;
const MEDIA_TYPES = { json: 'application/json', yaml: 'application/yaml' };

export type Headers = ResponseHeaders;

/** JSON in pieces, sent as they are: a list's items are the registry's own bytes. */
export async function sendJson(
  exchange: Exchange,
  headers: Headers,
  answer: { code: number; chunks: readonly Buffer[]; mediaType?: string },
): Promise<void> {
  const size = answer.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const all = { ...headers, 'content-type': answer.mediaType ?? MEDIA_TYPES.json };
  const isCompressed = size >= GZIP_FROM_BYTES && acceptsGzip(exchange);
  if (size < PIECE_BYTES || exchange.method === 'HEAD') {
    const body = answer.chunks.length === 1 ? (answer.chunks[0] as Buffer) : Buffer.concat(answer.chunks);
    if (!isCompressed) return exchange.respond(answer.code, all, body);
    const compressed = await gzipAsync(body, { level: constants.Z_BEST_SPEED });
    return exchange.respond(answer.code, compressedHeaders(all), compressed);
  }
  const sink = exchange.begin(answer.code, isCompressed ? compressedHeaders(all) : all);
  await (isCompressed ? pipeCompressed(answer.chunks, sink) : pipePieces(answer.chunks, sink));
  return undefined;
}

/** `value` in the form that the client asked for. */
export function sendValue(
  exchange: Exchange,
  headers: Headers,
  answer: { code: number; value: object; format?: Pick<Format, 'encoding'>; pretty?: boolean },
): Promise<void> {
  const { code, value, format, pretty = false } = answer;
  if (format?.encoding === 'yaml') return sendYaml(exchange, headers, { code, value });
  const text = pretty ? JSON.stringify(value, undefined, 2) : JSON.stringify(value);
  return sendJson(exchange, headers, { code, chunks: [Buffer.from(`${text}\n`)] });
}

function sendYaml(
  exchange: Exchange,
  headers: Headers,
  { code, value }: { code: number; value: object },
): Promise<void> {
  const body = Buffer.from(stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }));
  return sendJson(exchange, headers, { code, chunks: [body], mediaType: MEDIA_TYPES.yaml });
}

/** JSON pieces, but in YAML or indented where the client asked for that. */
export function sendDocument(
  exchange: Exchange,
  headers: Headers,
  answer: { code: number; chunks: readonly Buffer[]; format: Format; pretty: boolean },
): Promise<void> {
  const { code, chunks, format, pretty } = answer;
  if (format.encoding === 'json' && !pretty) return sendJson(exchange, headers, { code, chunks });
  const value = JSON.parse(Buffer.concat(chunks).toString('utf8')) as object;
  return sendValue(exchange, headers, { code, value, format, pretty });
}

/** A refusal is always JSON: every client understands it, whatever it asked for. */
export function sendStatus(exchange: Exchange, headers: Headers, status: Status): void {
  const retry = status.details?.retryAfterSeconds;
  exchange.respond(
    status.code,
    {
      ...headers,
      'content-type': MEDIA_TYPES.json,
      ...(retry === undefined ? {} : { 'retry-after': String(retry) }),
    },
    `${JSON.stringify(status)}\n`,
  );
}

const acceptsGzip = (exchange: Exchange): boolean =>
  /(^|[\s,])gzip(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(exchange.header('accept-encoding') ?? '');

const compressedHeaders = (headers: Headers): Headers => ({
  ...headers,
  'content-encoding': 'gzip',
  vary: 'Accept-Encoding',
});

/** Small buffers are put together: one frame an object would cost more than the copy. */
async function pipePieces(chunks: readonly Buffer[], sink: BodySink): Promise<void> {
  let piece: Buffer[] = [];
  let size = 0;
  for (const chunk of chunks) {
    piece.push(chunk);
    size += chunk.length;
    if (size < PIECE_BYTES) continue;
    await sink.write(Buffer.concat(piece));
    piece = [];
    size = 0;
  }
  if (piece.length > 0) await sink.write(Buffer.concat(piece));
  sink.end();
}

async function pipeCompressed(chunks: readonly Buffer[], sink: BodySink): Promise<void> {
  const compressor = createGzip({ level: constants.Z_BEST_SPEED });
  const feeding = pipePieces(chunks, {
    async write(chunk) {
      if (!compressor.write(chunk)) await once(compressor, 'drain');
    },
    end: () => compressor.end(),
  });
  try {
    for await (const chunk of compressor) await sink.write(chunk as Buffer);
    await feeding;
  } catch (error) {
    // Ends the feeding side, too, which waits for a drain that will not come.
    compressor.destroy(error as Error);
    await feeding.catch(() => undefined);
    throw error;
  }
  sink.end();
}
