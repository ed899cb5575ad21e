import type { Change } from './change.ts';

/**
 * The recent changes of a resource, for watches that begin in the past. Bounded in number and in age. Invariant: it holds
 * every change with a revision > `start`.
 */
export class ChangeRing {
  #changes: Change[] = [];
  #head = 0;
  #start = 0;
  readonly #maxChanges: number;
  readonly #maxAgeMs: number;

  constructor(limits: { maxChanges: number; maxAgeMs: number }) {
    this.#maxChanges = limits.maxChanges;
    this.#maxAgeMs = limits.maxAgeMs;
  }

  /** Watches can begin at this revision or later. */
  get start(): number {
    return this.#start;
  }

  get size(): number {
    return this.#changes.length - this.#head;
  }

  /** Forgets everything: what was before `revision` is not known. */
  reset(revision: number): void {
    this.#changes = [];
    this.#head = 0;
    this.#start = revision;
  }

  push(change: Change): void {
    this.#changes.push(change);
    if (this.size > this.#maxChanges) this.#dropOldest();
    this.dropOlderThan(change.seenMs - this.#maxAgeMs);
  }

  dropOlderThan(monotonicMs: number): void {
    while (this.size > 0 && (this.#changes[this.#head] as Change).seenMs < monotonicMs) this.#dropOldest();
  }

  /** @returns the changes after `revision`, in order; undefined when it is too old */
  after(revision: number): Change[] | undefined {
    if (revision < this.#start) return undefined;
    let low = this.#head;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#changes[middle] as Change).revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#changes.slice(low);
  }

  #dropOldest(): void {
    this.#start = (this.#changes[this.#head] as Change).revision;
    this.#head += 1;
    if (this.#head < 1_024 || this.#head * 2 < this.#changes.length) return;
    this.#changes = this.#changes.slice(this.#head);
    this.#head = 0;
  }
}
