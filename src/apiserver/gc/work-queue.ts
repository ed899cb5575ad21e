import type { Clock, Timer } from '../../ports/clock.ts';

const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 30_000;

export interface WorkQueueOptions {
  clock: Clock;
  workers: number;
  /**
   * Does what the key asks for, as things are now. Rejects, or resolves to a number of milliseconds, to be called again.
   */
  work(key: string, signal: AbortSignal): Promise<number | void>;
  onFailure(key: string, error: unknown): void;
}

/**
 * Keys to look at, each at most once at a time: one that is added while it is worked on is worked on again afterwards,
 * one that fails later and later.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting = new Set<string>();
  readonly #active = new Set<string>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Map<string, Timer>();
  readonly #running = new Set<Promise<void>>();
  #signal: AbortSignal | undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Works until `signal` is aborted; resolves when nothing runs any more. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    this.#dispatch();
    if (!signal.aborted) {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    }
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    await Promise.all(this.#running);
  }

  add(key: string): void {
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
    if (this.#active.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    this.#dispatch();
  }

  #dispatch(): void {
    const signal = this.#signal;
    if (signal === undefined) return;
    for (const key of this.#waiting) {
      if (signal.aborted || this.#active.size >= this.#options.workers) return;
      this.#waiting.delete(key);
      this.#active.add(key);
      const task: Promise<void> = this.#process(key, signal).finally(() => this.#running.delete(task));
      this.#running.add(task);
    }
  }

  async #process(key: string, signal: AbortSignal): Promise<void> {
    let delayMs: number | undefined;
    try {
      delayMs = (await this.#options.work(key, signal)) ?? undefined;
      this.#failures.delete(key);
    } catch (error) {
      const failures = this.#failures.get(key) ?? 0;
      this.#failures.set(key, failures + 1);
      delayMs = Math.min(RETRY_MIN_MS * 2 ** failures, RETRY_MAX_MS);
      if (!signal.aborted) this.#options.onFailure(key, error);
    }
    this.#active.delete(key);
    if (signal.aborted) return;
    if (this.#again.delete(key)) this.#waiting.add(key);
    else if (delayMs !== undefined) this.#addAfter(key, delayMs);
    this.#dispatch();
  }

  #addAfter(key: string, delayMs: number): void {
    const timer = this.#options.clock.schedule(delayMs, () => this.add(key));
    this.#timers.set(key, timer);
  }
}
