import { HostlerError } from '../../ports/errors.ts';
import type { Peer } from '../auth/client-certificate.ts';

/**
 * One request and its answer, the same for HTTP/2 and HTTP/1.1. An exchange is answered exactly once, by `respond` or by
 * `begin`; all that is written after the client has gone is dropped.
 */
export interface Exchange {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly protocol: 'HTTP/1.1' | 'HTTP/2.0';
  /** Who asks; absent without a valid client certificate. */
  readonly peer: Peer | undefined;
  /** Aborted when the client has gone, and when the server stops for good. */
  readonly closed: AbortSignal;

  /** `name` in lower case. A header that was sent several times is joined by commas. */
  header(name: string): string | undefined;

  /** @throws ApiError 413 above `maxBytes`; Error when the client goes away or is too slow */
  readBody(maxBytes: number): Promise<Buffer>;

  respond(status: number, headers: ResponseHeaders, body: Buffer | string): void;

  begin(status: number, headers: ResponseHeaders): BodySink;

  /** Cuts an answer short, so that the client cannot take it for whole. */
  abort(): void;

  readonly isAnswered: boolean;
}

/** Why `closed` is aborted; one for all, since every exchange closes, and an error of its own with a stack costs more than the rest. */
export const CLOSED = new HostlerError('Aborted', 'The exchange is over');

/** Names in lower case. */
export type ResponseHeaders = Record<string, string | string[]>;

/** A body written in pieces, at the pace of the client. */
export interface BodySink {
  /**
   * @returns what resolves when the next piece may come, and rejects once the client has gone; undefined when it may
   * come at once
   */
  write(chunk: Buffer): Promise<void> | undefined;
  end(): void;
}

/** The part of a writable stream that a sink needs; both HTTP/2 streams and HTTP/1.1 responses have it. */
export interface SinkStream {
  write(chunk: Buffer): boolean;
  end(): unknown;
  once(event: 'drain', listener: () => void): unknown;
  off(event: 'drain', listener: () => void): unknown;
}

export function sinkOf(stream: SinkStream, closed: AbortSignal): BodySink {
  return {
    write(chunk) {
      if (closed.aborted) return Promise.reject(gone());
      if (stream.write(chunk)) return undefined;
      return new Promise((resolve, reject) => {
        const onDrain = (): void => {
          closed.removeEventListener('abort', onClosed);
          resolve();
        };
        const onClosed = (): void => {
          stream.off('drain', onDrain);
          reject(gone());
        };
        stream.once('drain', onDrain);
        closed.addEventListener('abort', onClosed, { once: true });
      });
    },
    end() {
      if (!closed.aborted) stream.end();
    },
  };
}

const gone = (): Error => new Error('The client has gone');
