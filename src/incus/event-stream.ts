import type { WebSocket } from 'ws';
import type { Clock } from '../ports/clock.ts';
import { sleep } from '../ports/clock.ts';
import type { HostEvent } from '../ports/host-driver.ts';
import type { Logger } from '../ports/logger.ts';
import { type EventMessage, hostEventOf } from './lifecycle.ts';

/**
 * The daemon's events, over one websocket at a time. A connection that has been silent for `pingMs` is asked for a sign
 * of life and dropped when none comes. Every connection begins with `resync`, since nothing tells what was missed before.
 */
export interface EventStreamOptions {
  clock: Clock;
  logger: Logger;
  open: (path: string) => WebSocket;
  /** Whether this driver itself is stopping the instance. */
  isStopping: (name: string) => boolean;
  /** Called for each connection. @returns whether an event is about an instance of ours; asked for each, in order */
  filter: () => (event: InstanceEvent, signal: AbortSignal) => Promise<boolean>;
}

export type InstanceEvent = Exclude<HostEvent, { type: 'resync' }>;

const PATH = '/1.0/events?type=lifecycle';
const PING_MS = 10_000;
const BACKOFF_MS = { first: 100, max: 1_000 };
/** A reader that is further behind is better off with a new list. */
const MAX_QUEUED = 10_000;

export async function* followEvents(
  options: EventStreamOptions,
  signal: AbortSignal,
): AsyncGenerator<HostEvent> {
  const { clock, logger } = options;
  let backoffMs = BACKOFF_MS.first;
  while (!signal.aborted) {
    const connection = new EventConnection(options, signal);
    const isOurs = options.filter();
    try {
      for await (const message of connection.messages()) {
        backoffMs = BACKOFF_MS.first;
        if (message === 'open') {
          yield { type: 'resync' };
          continue;
        }
        const event = hostEventOf(message, options.isStopping);
        if (event !== undefined && (await isOurs(event, signal))) yield event;
      }
    } catch (error) {
      logger.debug({ err: error }, 'the event stream broke');
    } finally {
      connection.close();
    }
    if (!(await sleep(clock, backoffMs, signal))) return;
    backoffMs = Math.min(backoffMs * 2, BACKOFF_MS.max);
  }
}

class EventConnection {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #queue: ('open' | EventMessage)[] = [];
  readonly #onAbort = (): void => this.#end(undefined);
  #wake: () => void = () => {};
  #ended: { error: Error | undefined } | undefined;
  #timer: { cancel(): void } | undefined;
  #alive = true;

  constructor({ clock, open }: EventStreamOptions, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    this.#socket = open(PATH);
    this.#socket.on('open', () => this.#push('open'));
    this.#socket.on('message', (data: Buffer) => this.#receive(data));
    this.#socket.on('ping', () => (this.#alive = true));
    this.#socket.on('pong', () => (this.#alive = true));
    this.#socket.on('error', (error) => this.#end(error));
    this.#socket.on('close', (code) => this.#end(new Error(`the daemon closed the event stream (${code})`)));
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#end(undefined);
    this.#watch();
  }

  /** Ends when the signal is aborted. @throws Error when the connection breaks */
  async *messages(): AsyncGenerator<'open' | EventMessage> {
    for (;;) {
      const message = this.#queue.shift();
      if (message !== undefined) {
        yield message;
        continue;
      }
      if (this.#ended?.error !== undefined) throw this.#ended.error;
      if (this.#ended !== undefined) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#end(undefined);
    this.#timer?.cancel();
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#socket.terminate();
  }

  #receive(data: Buffer): void {
    this.#alive = true;
    try {
      this.#push(JSON.parse(data.toString('utf8')) as EventMessage);
    } catch (cause) {
      this.#end(new Error('the daemon sent an event that is no JSON', { cause }));
    }
  }

  #push(message: 'open' | EventMessage): void {
    if (this.#queue.length >= MAX_QUEUED) {
      this.#queue.length = 0;
      this.#end(new Error(`more than ${MAX_QUEUED} events were waiting to be read`));
      return;
    }
    this.#queue.push(message);
    this.#wake();
  }

  #end(error: Error | undefined): void {
    this.#ended ??= { error };
    this.#wake();
  }

  /** Each round must have brought a message, a ping or a pong. */
  #watch(): void {
    this.#timer = this.#clock.schedule(PING_MS, () => {
      if (!this.#alive) {
        this.#end(new Error(`the daemon gave no sign of life for ${PING_MS} ms`));
        return;
      }
      this.#alive = false;
      if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
      this.#watch();
    });
  }
}
