import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Peer } from '../auth/client-certificate.ts';
import { readLimited } from './body.ts';
import { type BodySink, CLOSED, type Exchange, type ResponseHeaders, sinkOf } from './exchange.ts';

/** An exchange on a stream of HTTP/2. The `stream` event is used itself: the compatibility layer costs three times as much. */
export class Http2Exchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly protocol = 'HTTP/2.0';
  readonly peer: Peer | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #closed = new AbortController();

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: Peer | undefined) {
    this.#stream = stream;
    this.#headers = headers;
    this.peer = peer;
    this.method = headers[':method'] ?? 'GET';
    this.target = headers[':path'] ?? '/';
    stream.on('close', () => this.#closed.abort(CLOSED));
    // A reset by the client is its right; `close` follows.
    stream.on('error', () => this.#closed.abort(CLOSED));
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  get isAnswered(): boolean {
    return this.#stream.headersSent;
  }

  header(name: string): string | undefined {
    const value = this.#headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  readBody(maxBytes: number): Promise<Buffer> {
    return readLimited(this.#stream, maxBytes);
  }

  respond(status: number, headers: ResponseHeaders, body: Buffer | string): void {
    if (!this.#canAnswer()) return;
    this.#stream.respond({ ':status': status, ...headers, 'content-length': Buffer.byteLength(body) });
    this.#stream.end(this.method === 'HEAD' ? undefined : body);
    if (!this.#stream.readableEnded) this.#refuseRest();
  }

  begin(status: number, headers: ResponseHeaders): BodySink {
    if (this.#canAnswer()) this.#stream.respond({ ':status': status, ...headers });
    return sinkOf(this.#stream, this.#closed.signal);
  }

  abort(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  /** What the client still sends of its body is of no use any more; it must not fill the session's window. */
  #refuseRest(): void {
    this.#stream.once('finish', () => {
      if (!this.#stream.readableEnded) this.#stream.close(constants.NGHTTP2_NO_ERROR);
    });
  }

  #canAnswer(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed && !this.#stream.headersSent;
  }
}
