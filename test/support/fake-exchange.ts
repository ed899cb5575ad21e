import type { Peer } from '../../src/apiserver/auth/client-certificate.ts';
import type { BodySink, Exchange, ResponseHeaders } from '../../src/apiserver/http/exchange.ts';

/** An exchange in memory: what was answered can be read afterwards. */
export interface FakeExchange extends Exchange {
  answer: { status: number; headers: ResponseHeaders; text: string; isEnded: boolean } | undefined;
  isAborted: boolean;
  /** The client goes away. */
  leave(): void;
  json(): Record<string, unknown>;
}

export interface FakeRequest {
  method?: string;
  target?: string;
  headers?: Record<string, string>;
  body?: object | string;
  peer?: Peer;
  /** The client reads nothing of a body that comes in pieces. */
  takes?: 'nothing';
}

export const ADMIN: Peer = {
  user: { name: 'admin', groups: ['system:masters'] },
  notAfterMs: Number.MAX_SAFE_INTEGER,
};

export function fakeExchange({
  method = 'GET',
  target = '/',
  headers = {},
  body,
  peer,
  takes,
}: FakeRequest = {}): FakeExchange {
  const closed = new AbortController();
  const sent = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const exchange: FakeExchange = {
    method,
    target,
    protocol: 'HTTP/2.0',
    peer,
    closed: closed.signal,
    answer: undefined,
    isAborted: false,
    get isAnswered() {
      return exchange.answer !== undefined;
    },
    header: (name) => headers[name],
    readBody: () => Promise.resolve(Buffer.from(sent)),
    respond(status, all, content) {
      exchange.answer ??= { status, headers: all, text: content.toString(), isEnded: true };
    },
    begin(status, all): BodySink {
      const answer = { status, headers: all, text: '', isEnded: false };
      exchange.answer = answer;
      return {
        write(chunk) {
          answer.text += chunk.toString();
          if (takes === undefined) return undefined;
          return new Promise((_resolve, reject) => {
            closed.signal.addEventListener('abort', () => reject(new Error('The client has gone')));
          });
        },
        end() {
          answer.isEnded = true;
        },
      };
    },
    abort() {
      exchange.isAborted = true;
      closed.abort();
    },
    leave: () => closed.abort(),
    json: () => JSON.parse(exchange.answer?.text ?? 'null') as Record<string, unknown>,
  };
  return exchange;
}
