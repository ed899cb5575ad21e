import type { Clock } from '../ports/clock.ts';

/** What may go at once under a limit. */
const BURST_SECONDS = 0.25;

/** Bytes may be taken before they are there; then the taker waits for as long as they need to come. */
export class TokenBucket {
  /** In bytes: one taking of no more than this is soon made up for. */
  readonly burst: number;
  readonly #clock: Clock;
  readonly #perSecond: number;
  #tokens: number;
  #filledMs: number;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.burst = perSecond * BURST_SECONDS;
    this.#tokens = this.burst;
    this.#filledMs = clock.monotonicMs();
  }

  /** @returns how long to wait before the next ones are taken, in ms */
  take(bytes: number): number {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#filledMs) / 1000) * this.#perSecond;
    this.#filledMs = nowMs;
    this.#tokens = Math.min(this.burst, this.#tokens + gained) - bytes;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#perSecond) * 1000);
  }
}
