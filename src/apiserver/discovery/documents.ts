import { createHash } from 'node:crypto';
import { parseAccept } from '../endpoints/accept.ts';
import { sendJson, type Headers } from '../endpoints/respond.ts';
import type { Exchange } from '../http/exchange.ts';

/** A document that seldom changes: its bytes are made once, and a client that has it already gets 304. */
export interface CachedDocument {
  body: Buffer;
  mediaType: string;
  /** Quoted, as the header has it. */
  etag: string;
  /** Hex digest of the body. */
  hash: string;
}

export function cachedDocument(value: object | Buffer, mediaType = 'application/json'): CachedDocument {
  const body = Buffer.isBuffer(value) ? value : Buffer.from(`${JSON.stringify(value)}\n`);
  const hash = createHash('sha512').update(body).digest('hex').toUpperCase();
  return { body, mediaType, etag: `"${hash}"`, hash };
}

export function sendCached(exchange: Exchange, headers: Headers, document: CachedDocument): Promise<void> {
  const { body, mediaType, etag } = document;
  const all = { ...headers, etag, vary: 'Accept' };
  const known = exchange.header('if-none-match') ?? '';
  if (known.split(',').some((one) => one.trim() === etag)) {
    exchange.respond(304, all, '');
    return Promise.resolve();
  }
  return sendJson(exchange, all, { code: 200, chunks: [body], mediaType });
}

/** `v2` or `v2beta1` when the client prefers aggregated discovery; undefined for the classic documents. */
export function aggregatedVersion(accept: string | undefined): string | undefined {
  for (const { type, parameters } of parseAccept(accept ?? '*/*')) {
    if (type === 'application/json' && parameters.get('as') === 'APIGroupDiscoveryList') {
      const version = parameters.get('v') ?? '';
      if (parameters.get('g') === 'apidiscovery.k8s.io' && ['v2', 'v2beta1'].includes(version))
        return version;
      continue;
    }
    if (type === 'application/json' || type === '*/*' || type === 'application/*') return undefined;
  }
  return undefined;
}
