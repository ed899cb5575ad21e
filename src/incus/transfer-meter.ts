import type { Clock, Timer } from '../ports/clock.ts';
import { PULL_STALL_MS, type TransferProgress } from '../ports/host-transfer.ts';

export interface MeterOptions {
  clock: Clock;
  onProgress: (progress: TransferProgress) => void;
  /** Nothing has come for PULL_STALL_MS. */
  onStall: () => void;
}

const TICK_MS = 500;
/** Over how many ticks the rate is taken. */
const WINDOW = 8;

/** Counts, tells how fast it goes, and notices when nothing goes any more. */
export class TransferMeter {
  bytes = 0;
  readonly #options: MeterOptions;
  readonly #samples: { atMs: number; bytes: number }[] = [];
  #movedMs: number;
  #timer: Timer | undefined;

  constructor(options: MeterOptions) {
    this.#options = options;
    this.#movedMs = options.clock.monotonicMs();
    this.#samples.push({ atMs: this.#movedMs, bytes: 0 });
    this.#tick();
  }

  add(bytes: number): void {
    this.bytes += bytes;
    this.#movedMs = this.#options.clock.monotonicMs();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #tick(): void {
    this.#timer = this.#options.clock.schedule(TICK_MS, () => {
      const nowMs = this.#options.clock.monotonicMs();
      if (nowMs - this.#movedMs >= PULL_STALL_MS) return this.#options.onStall();
      this.#tick();
      this.#report(nowMs);
    });
  }

  #report(nowMs: number): void {
    const oldest = this.#samples.length < WINDOW ? this.#samples[0] : this.#samples.shift();
    this.#samples.push({ atMs: nowMs, bytes: this.bytes });
    const { atMs = nowMs, bytes = 0 } = oldest ?? {};
    const seconds = (nowMs - atMs) / 1000;
    const bytesPerSecond = seconds > 0 ? Math.round((this.bytes - bytes) / seconds) : 0;
    this.#options.onProgress({ bytes: this.bytes, bytesPerSecond });
  }
}
