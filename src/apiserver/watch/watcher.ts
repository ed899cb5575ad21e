import type { StoredEvent } from '../registry/registry.ts';
import type { Selection } from '../selectors/selection.ts';
import type { Change } from './change.ts';

export interface WatcherOptions {
  selection: Selection;
  /** Changes up to this revision are not sent. */
  afterRevision: number;
  wantsBookmarks: boolean;
  /** Sent before everything else, pulled as the reader goes. */
  initial: Iterable<StoredEvent>;
  /** How many events may wait for a slow reader; more, and the watch ends. */
  maxQueued: number;
  /** Called once, when the watch has ended for whatever reason. */
  onEnd(isSlow: boolean): void;
}

/**
 * One watch: what it is to see waits in a bounded queue until its reader takes it. It ends by `end`, by its reader
 * leaving, or because the reader is too slow; it never holds up the cache or other watchers.
 */
export class Watcher implements AsyncIterableIterator<StoredEvent> {
  readonly selection: Selection;
  readonly #options: WatcherOptions;
  readonly #initial: Iterator<StoredEvent>;
  #isInitialDone = false;
  #queue: StoredEvent[] = [];
  #head = 0;
  #waiting: ((result: IteratorResult<StoredEvent>) => void) | undefined;
  #isEnded = false;

  constructor(options: WatcherOptions) {
    this.selection = options.selection;
    this.#options = options;
    this.#initial = options.initial[Symbol.iterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  offer(change: Change): void {
    if (change.revision <= this.#options.afterRevision) return;
    const event = change.seenBy(this.selection);
    if (event !== undefined) this.#push(event);
  }

  bookmark(revision: number): void {
    if (!this.#options.wantsBookmarks || revision < this.#options.afterRevision) return;
    this.#push({ type: 'BOOKMARK', resourceVersion: revision });
  }

  next(): Promise<IteratorResult<StoredEvent>> {
    const event = this.#take();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#isEnded) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** The reader leaves: what waits is dropped. */
  return(): Promise<IteratorResult<StoredEvent>> {
    this.#drop();
    this.end();
    return Promise.resolve(DONE);
  }

  /** No further event; the reader still gets what waits. Idempotent. */
  end(isSlow = false): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#options.onEnd(isSlow);
    this.#waiting?.(DONE);
    this.#waiting = undefined;
  }

  #push(event: StoredEvent): void {
    if (this.#isEnded) return;
    if (this.#waiting !== undefined) {
      const resolve = this.#waiting;
      this.#waiting = undefined;
      resolve({ done: false, value: event });
    } else if (this.#queue.length - this.#head < this.#options.maxQueued) {
      this.#queue.push(event);
    } else {
      this.#drop();
      this.end(true);
    }
  }

  #take(): StoredEvent | undefined {
    if (!this.#isInitialDone) {
      const { done, value } = this.#initial.next();
      if (done !== true) return value;
      this.#isInitialDone = true;
    }
    const event = this.#queue[this.#head];
    if (event === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#queue.length || this.#head > 1_024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return event;
  }

  #drop(): void {
    this.#isInitialDone = true;
    this.#queue = [];
    this.#head = 0;
  }
}

const DONE: IteratorResult<StoredEvent> = { done: true, value: undefined };
