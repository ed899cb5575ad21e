/**
 * One connection to one API server. Errors from it are raw; `transport.ts` converts them. An error whose `wasSent` is
 * false means that the server has not seen the request.
 */
export interface Connection {
  /** Whether new requests can be sent on it. */
  isUsable(): boolean;
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
  /** A request went without an answer: finds out soon whether the connection is dead, and ends it if so. */
  suspect(): void;
  /** Takes no new requests; ends when those that it has are over. */
  retire(): void;
  close(): void;
  /** Calls `run` once, when nothing of the connection is left. */
  onClosed(run: () => void): void;
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With the query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body?: Buffer;
}

export interface HttpResponse {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Ends with an error when the connection is lost or the request's signal is aborted. */
  body: AsyncIterable<Buffer>;
}

/** What a connection is made with; read again for each, so that renewed certificates are taken up. */
export interface Endpoint {
  url: URL;
  tls: TlsSettings;
}

export interface TlsSettings {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  servername?: string;
  /** @defaultValue true */
  rejectUnauthorized?: boolean;
}

/** The request never left: safe to send again, whatever it asks. */
export class NotSentError extends Error {
  readonly wasSent = false;
}
