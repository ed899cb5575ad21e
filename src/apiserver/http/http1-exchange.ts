import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Peer } from '../auth/client-certificate.ts';
import { readLimited } from './body.ts';
import { type BodySink, CLOSED, type Exchange, type ResponseHeaders, sinkOf } from './exchange.ts';

/** An exchange over HTTP/1.1, for clients without HTTP/2. */
export class Http1Exchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly protocol = 'HTTP/1.1';
  readonly peer: Peer | undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #closed = new AbortController();

  constructor(request: IncomingMessage, response: ServerResponse, peer: Peer | undefined) {
    this.#request = request;
    this.#response = response;
    this.peer = peer;
    this.method = request.method ?? 'GET';
    this.target = request.url ?? '/';
    response.on('close', () => this.#closed.abort(CLOSED));
    response.on('error', () => this.#closed.abort(CLOSED));
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  get isAnswered(): boolean {
    return this.#response.headersSent;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  readBody(maxBytes: number): Promise<Buffer> {
    return readLimited(this.#request, maxBytes);
  }

  respond(status: number, headers: ResponseHeaders, body: Buffer | string): void {
    if (this.#response.headersSent || this.#response.destroyed) return;
    // An unread body cannot be told from the next request: the connection ends with this answer.
    const connection = this.#request.readableEnded || !this.#hasBody() ? {} : { connection: 'close' };
    this.#response.writeHead(status, {
      ...headers,
      ...connection,
      'content-length': Buffer.byteLength(body),
    });
    this.#response.end(this.method === 'HEAD' ? undefined : body);
  }

  begin(status: number, headers: ResponseHeaders): BodySink {
    if (!this.#response.headersSent) this.#response.writeHead(status, headers);
    this.#response.flushHeaders();
    return sinkOf(this.#response, this.#closed.signal);
  }

  abort(): void {
    this.#response.destroy();
  }

  #hasBody(): boolean {
    const { headers } = this.#request;
    return (
      headers['transfer-encoding'] !== undefined || Number.parseInt(headers['content-length'] ?? '0', 10) > 0
    );
  }
}
