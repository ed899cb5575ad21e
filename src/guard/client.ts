import { connect, type Socket } from 'node:net';
import { type Clock, sleep } from '../ports/clock.ts';
import { withDeadline } from '../ports/deadline.ts';
import { HostlerError } from '../ports/errors.ts';
import type { Guard, GuardedContainer, GuardOrder, GuardReport } from '../ports/guard.ts';
import { decode, encode, type GuardAnswer, type GuardRequest, lineReader } from './messages.ts';

export interface GuardClientOptions {
  socketPath: string;
  clock: Clock;
  /** Starts a guard that answers on `socketPath` soon; absent: somebody else does. */
  launch?: () => void;
  /** Milliseconds for an answer. @defaultValue 500 */
  answerMs?: number;
  /** Milliseconds for a guard that was started to answer. @defaultValue 5_000 */
  launchMs?: number;
}

type Waiting = { resolve: (answer: GuardAnswer) => void; reject: (error: Error) => void };
/** A request without its number. */
type Question = GuardRequest extends infer R ? (R extends unknown ? Omit<R, 'id'> : never) : never;

const POLL_MS = 25;

/** The guard, over its socket. A guard that leaves one question without an answer counts as lost. */
export function createGuardClient(options: GuardClientOptions): Guard {
  return new GuardClient(options);
}

class GuardClient implements Guard {
  readonly #options: GuardClientOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #lostHandlers: (() => void)[] = [];
  #socket: Socket | undefined;
  #lastId = 0;

  constructor(options: GuardClientOptions) {
    this.#options = options;
  }

  async connect(signal: AbortSignal): Promise<GuardReport> {
    const { clock, launch, launchMs = 5_000 } = this.#options;
    if (this.#socket !== undefined) return await this.#report(signal);
    try {
      await this.#open();
    } catch (cause) {
      if (launch === undefined) throw new HostlerError('Unavailable', 'No guard answers', { cause });
      launch();
      await openSoon({ open: () => this.#open(), clock, launchMs }, signal);
    }
    return await this.#report(signal);
  }

  async order(order: GuardOrder, signal: AbortSignal): Promise<void> {
    await this.#ask({ ask: 'order', order }, signal);
  }

  async mayStart(container: GuardedContainer, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#ask({ ask: 'mayStart', container }, signal);
    return 'may' in answer && answer.may;
  }

  onLost(run: () => void): void {
    this.#lostHandlers.push(run);
  }

  close(): void {
    this.#lostHandlers.length = 0;
    if (this.#socket !== undefined) this.#lose(this.#socket);
  }

  async #report(signal: AbortSignal): Promise<GuardReport> {
    const answer = await this.#ask({ ask: 'report' }, signal);
    if (!('report' in answer)) throw new HostlerError('Internal', 'The guard gave no report');
    return answer.report;
  }

  #open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const opened = connect(this.#options.socketPath);
      opened.once('error', reject);
      opened.once('connect', () => {
        opened.off('error', reject);
        opened.on('error', () => this.#lose(opened));
        opened.once('close', () => this.#lose(opened));
        opened.on(
          'data',
          lineReader((line) => this.#take(decode(line) as GuardAnswer)),
        );
        this.#socket = opened;
        resolve();
      });
    });
  }

  #take(answer: GuardAnswer): void {
    this.#waiting.get(answer.id)?.resolve(answer);
    this.#waiting.delete(answer.id);
  }

  #lose(lost: Socket): void {
    if (this.#socket !== lost) return;
    this.#socket = undefined;
    lost.destroy();
    for (const { reject } of this.#waiting.values()) {
      reject(new HostlerError('Unavailable', 'The connection to the guard was lost'));
    }
    this.#waiting.clear();
    for (const handler of this.#lostHandlers) handler();
  }

  async #ask(question: Question, signal: AbortSignal): Promise<GuardAnswer> {
    const { clock, answerMs = 500 } = this.#options;
    const asked = this.#socket;
    if (asked === undefined) throw new HostlerError('Unavailable', 'There is no connection to the guard');
    const id = ++this.#lastId;
    const limits = { clock, timeoutMs: answerMs, what: `Asking the guard (${question.ask})` };
    const answer = await withDeadline(limits, signal, (inner) => {
      const { promise, resolve, reject } = Promise.withResolvers<GuardAnswer>();
      this.#waiting.set(id, { resolve, reject });
      const give = (): void => {
        if (this.#waiting.delete(id)) reject(inner.reason as Error);
        if (!signal.aborted) this.#lose(asked);
      };
      inner.addEventListener('abort', give, { once: true });
      asked.write(encode({ id, ...question }));
      return promise.finally(() => inner.removeEventListener('abort', give));
    });
    if ('fault' in answer) throw new HostlerError('Invalid', `The guard refuses: ${answer.fault}`);
    return answer;
  }
}

async function openSoon(
  { open, clock, launchMs }: { open: () => Promise<void>; clock: Clock; launchMs: number },
  signal: AbortSignal,
): Promise<void> {
  const untilMs = clock.monotonicMs() + launchMs;
  for (;;) {
    if (!(await sleep(clock, POLL_MS, signal)))
      throw new HostlerError('Aborted', 'No guard is needed any more');
    try {
      return await open();
    } catch (cause) {
      if (clock.monotonicMs() < untilMs) continue;
      throw new HostlerError('Timeout', `The guard that was started does not answer within ${launchMs} ms`, {
        cause,
      });
    }
  }
}
