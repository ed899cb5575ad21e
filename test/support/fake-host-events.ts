import { HostlerError } from '../../src/ports/errors.ts';
import type { HostEvent } from '../../src/ports/host-driver.ts';

/** One reader of events: what nobody has waited for yet stays queued. */
export class Subscriber {
  readonly #queue: HostEvent[] = [];
  readonly #signal: AbortSignal;
  #wake: () => void = () => {};
  #closed = false;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  push(event: HostEvent): void {
    this.#queue.push(event);
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async next(): Promise<HostEvent | undefined> {
    while (this.#queue.length === 0 && !this.#signal.aborted) {
      if (this.#closed) throw unavailable('the host driver is closed');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#signal.aborted ? undefined : this.#queue.shift();
  }
}

export function unavailable(message: string): HostlerError {
  return new HostlerError('Unavailable', message);
}
