import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../ports/clock.ts';
import { type Connection, type HttpRequest, type HttpResponse, NotSentError } from './connection.ts';

const STREAM_WINDOW_BYTES = 1 << 20;
const CONNECTION_WINDOW_BYTES = 8 << 20;

/**
 * Everything of one process over one HTTP/2 session: requests and watches side by side. A ping every `pingMs` that stays
 * unanswered for as long again ends the session, and with it every request on it, so that a peer that is gone without a
 * word is noticed within twice `pingMs` also by a watch on which nothing happens.
 */
export function createHttp2Connection(
  socket: TLSSocket,
  { url, clock, pingMs }: { url: URL; clock: Clock; pingMs: number },
): Connection {
  const session = connect(url.origin, {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
  });
  session.once('connect', () => {
    // One that was opened too late to be of use is closed before it is connected.
    if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
  });
  // Every stream reports the session's error; without a listener it would end the process.
  session.on('error', () => session.destroy());
  const heart = beat(session, clock, pingMs);
  session.once('close', () => heart.stop());

  return {
    isUsable: () => !session.closed && !session.destroyed,
    suspect: () => heart.check(),
    retire: () => session.close(),
    onClosed: (run) => void session.once('close', run),
    close: () => {
      heart.stop();
      // With an error, so that a watch that is cut in the midst of an event does not look like one that has ended.
      session.destroy(new Error('The connection was given up'));
    },
    request(request, signal) {
      if (session.closed || session.destroyed) {
        return Promise.reject(new NotSentError('The connection is closed'));
      }
      return send(session, request, signal);
    },
  };
}

function beat(session: ClientHttp2Session, clock: Clock, pingMs: number): { check(): void; stop(): void } {
  let deadline: Timer | undefined;
  const check = (): void => {
    if (deadline !== undefined || session.destroyed || session.closed) return;
    deadline = clock.schedule(pingMs, () =>
      session.destroy(new Error(`The API server answered no ping for ${pingMs} ms`)),
    );
    session.ping((error) => {
      deadline?.cancel();
      deadline = undefined;
      if (error) session.destroy(error);
    });
  };
  const tick = (): void => {
    check();
    next = clock.schedule(pingMs, tick);
  };
  let next = clock.schedule(pingMs, tick);
  return {
    check,
    stop() {
      next.cancel();
      deadline?.cancel();
    },
  };
}

function send(session: ClientHttp2Session, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  const headers = { ...request.headers, ':method': request.method, ':path': request.path };
  const stream = session.request(headers, { endStream: request.body === undefined });
  const onAbort = (): void => {
    stream.close(constants.NGHTTP2_CANCEL);
    stream.destroy(toError(signal.reason));
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  stream.once('close', () => signal.removeEventListener('abort', onAbort));
  if (request.body !== undefined) stream.end(request.body);
  return new Promise((resolve, reject) => {
    stream.once('response', (received) => {
      const { ':status': status = 0, ...rest } = received;
      resolve({ status, headers: rest, body: bodyOf(stream) });
    });
    // Stays after the response: an error that comes while nobody reads the body must not end the process.
    stream.on('error', (error) => reject(isRefused(stream) ? notSent(error) : error));
    stream.once('close', () => reject(isRefused(stream) ? notSent() : new Error('The connection was lost')));
  });
}

/** The server promises that it has done nothing with the request (RFC 9113, 8.7). */
const isRefused = (stream: ClientHttp2Stream): boolean => stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;

const notSent = (cause?: unknown): NotSentError =>
  new NotSentError('The server refused the request unseen', { cause });

/** A stream that the server or the connection cut off must not look like one that has ended. */
async function* bodyOf(stream: ClientHttp2Stream): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield chunk as Buffer;
  if (stream.rstCode !== constants.NGHTTP2_NO_ERROR)
    throw new Error(`The stream was reset: code ${stream.rstCode}`);
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
