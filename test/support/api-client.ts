import { request as httpsRequest } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { connect, constants } from 'node:http2';
import type { KeyPair } from '../../src/apiserver/pki/certificates.ts';

/** A bare HTTPS client: tests see status, headers and bytes as they are on the wire. Every call has a deadline. */
export interface ApiClient {
  request(method: string, path: string, options?: RequestOptions): Promise<ApiResponse>;
  /** Opens a watch (HTTP/1.1) and collects its frames until `close`. */
  watch(path: string, headers?: Record<string, string>): Promise<WatchStream>;
}

export interface RequestOptions {
  body?: object | string | Buffer;
  headers?: Record<string, string>;
  /** @defaultValue `1.1` */
  http?: '1.1' | '2';
}

export interface ApiResponse {
  code: number;
  headers: IncomingHttpHeaders;
  text: string;
  bytes: Buffer;
  /** The body as JSON. */
  json(): Record<string, unknown> & { [field: string]: never };
}

export interface WatchStream {
  code: number;
  frames: { type: string; object: Record<string, unknown> }[];
  /** Resolves when a frame matches. */
  until(matches: (frame: WatchStream['frames'][number]) => boolean): Promise<WatchStream['frames'][number]>;
  /** Resolves when the server ended it. */
  ended: Promise<void>;
  /** Stops and starts the reading: a slow client. */
  message: IncomingMessage;
  close(): void;
}

export interface ApiClientOptions {
  url: string;
  caPem: string;
  identity?: KeyPair;
  socketPath?: string;
}

const DEADLINE_MS = 20_000;

export function createApiClient(options: ApiClientOptions): ApiClient {
  const { url, caPem, identity } = options;
  const tls = {
    ca: caPem,
    ...(identity === undefined ? {} : { cert: identity.certificatePem, key: identity.keyPem }),
  };
  const overHttp1 = (
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: Buffer,
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const socket =
        options.socketPath === undefined ? {} : { socketPath: options.socketPath, servername: 'localhost' };
      const request = httpsRequest(
        new URL(path, url),
        { method, headers, agent: false, ...tls, ...socket },
        resolve,
      );
      request.setTimeout(DEADLINE_MS, () =>
        request.destroy(new Error(`${method} ${path}: no answer in time`)),
      );
      request.on('error', reject);
      request.end(body);
    });

  return {
    async request(method, path, { body, headers = {}, http = '1.1' } = {}) {
      const { bytes: sent, type } = encode(body);
      const all = { ...(type === undefined ? {} : { 'content-type': type }), ...headers };
      if (http === '2') return overHttp2(url, tls, { method, path, headers: all, sent });
      const message = await overHttp1(method, path, all, sent);
      const chunks: Buffer[] = [];
      for await (const chunk of message) chunks.push(chunk as Buffer);
      return response(message.statusCode ?? 0, message.headers, Buffer.concat(chunks));
    },
    async watch(path, headers = {}) {
      return streamOf(await overHttp1('GET', path, headers));
    },
  };
}

function overHttp2(
  url: string,
  tls: object,
  call: { method: string; path: string; headers: Record<string, string>; sent: Buffer | undefined },
): Promise<ApiResponse> {
  return new Promise((resolve, reject) => {
    const session = connect(url, tls);
    session.setTimeout(DEADLINE_MS, () => session.destroy(new Error(`${call.path}: no answer in time`)));
    session.on('error', reject);
    const stream = session.request(
      { ...call.headers, ':method': call.method, ':path': call.path },
      { endStream: call.sent === undefined },
    );
    let headers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on('response', (received) => (headers = received));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => {
      session.close();
      const code = Number((headers as Record<string, unknown>)[constants.HTTP2_HEADER_STATUS]);
      resolve(response(code, headers, Buffer.concat(chunks)));
    });
    if (call.sent !== undefined) stream.end(call.sent);
  });
}

function encode(body: RequestOptions['body']): { bytes: Buffer | undefined; type: string | undefined } {
  if (body === undefined) return { bytes: undefined, type: undefined };
  if (Buffer.isBuffer(body)) return { bytes: body, type: 'application/json' };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { bytes: Buffer.from(text), type: 'application/json' };
}

function response(code: number, headers: IncomingHttpHeaders, bytes: Buffer): ApiResponse {
  const text = bytes.toString('utf8');
  return { code, headers, bytes, text, json: () => JSON.parse(text) as ReturnType<ApiResponse['json']> };
}

function streamOf(message: IncomingMessage): WatchStream {
  const frames: WatchStream['frames'] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  message.setEncoding('utf8');
  message.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) frames.push(JSON.parse(line) as WatchStream['frames'][number]);
    for (const wake of waiting) wake();
  });
  const ended = new Promise<void>((resolve) => {
    message.on('close', () => {
      resolve();
      for (const wake of waiting) wake();
    });
  });
  // The test itself closes it; what matters is told by `frames` and `ended`.
  message.on('error', () => undefined);
  return {
    code: message.statusCode ?? 0,
    frames,
    ended,
    message,
    close: () => message.destroy(),
    until: (matches) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => finish(new Error(`No such frame among ${frames.length}`)),
          DEADLINE_MS,
        );
        const finish = (error?: Error, frame?: WatchStream['frames'][number]): void => {
          clearTimeout(timer);
          waiting.delete(look);
          if (frame !== undefined) resolve(frame);
          else reject(error ?? new Error('The watch ended'));
        };
        const look = (): void => {
          const found = frames.find(matches);
          if (found !== undefined) finish(undefined, found);
          else if (message.destroyed) finish(new Error(`The watch ended after ${frames.length} frames`));
        };
        waiting.add(look);
        look();
      }),
  };
}
