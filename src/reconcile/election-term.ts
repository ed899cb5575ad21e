import type { Clock, Timer } from '../ports/clock.ts';
import { HostlerError, hasCode, messageOf } from '../ports/errors.ts';
import type { LeaderLease, LeaderTerm } from '../ports/leader-lease.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';

/** A term in office, as the work that leads sees it. */
export interface Leadership extends LeaderTerm {
  /** Monotonic milliseconds until which this replica may lead, as far as it knows now; grows with each renewal. */
  deadlineMs(): number;
  /**
   * Whether this replica may act *now*. Look immediately before each act: after the process was stopped and continued,
   * no timer and no signal can be relied on to have run before the next line of the work does.
   */
  isLeading(): boolean;
  /** Guards an act. @throws Aborted when the deadline has passed or the lease is gone */
  requireLeading(): void;
}

export interface TermOptions {
  lease: LeaderLease;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  ttlMs: number;
  renewEveryMs: number;
  /** What the deadline lies before the end of the lease. */
  marginMs: number;
}

/** Renewals under way at once: a slow one must not keep the next from being sent. */
const mostPending = 4;

/**
 * Holds a term: renews its lease and moves the deadline to *sent + TTL − margin* of each renewal that succeeded. The
 * deadline is looked at by every reader and by a timer of our own; nothing that the store or its library says is waited for.
 */
export class HeldTerm implements Leadership {
  readonly holder: string;
  readonly leaseId: string;
  readonly createRevision: number;
  /** Aborted when the term is lost, or by `abortWork`. */
  readonly signal: AbortSignal;
  /** Resolves with the reason when the term is lost; never rejects. */
  readonly lost: Promise<string>;

  readonly #term: LeaderTerm;
  readonly #options: TermOptions;
  readonly #work = new AbortController();
  readonly #renewals = new AbortController();
  readonly #tellLost: (reason: string) => void;
  #deadlineMs: number;
  #isOver = false;
  #pending = 0;
  #deadlineTimer: Timer | undefined;
  #renewTimer: Timer | undefined;

  /** @param sentMs when the acquisition was sent, on the monotonic clock */
  constructor(term: LeaderTerm, sentMs: number, options: TermOptions) {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.holder = term.holder;
    this.leaseId = term.leaseId;
    this.createRevision = term.createRevision;
    this.signal = this.#work.signal;
    this.lost = promise;
    this.#tellLost = resolve;
    this.#term = term;
    this.#options = options;
    this.#deadlineMs = sentMs + options.ttlMs - options.marginMs;
    this.#watchDeadline();
    this.#renewIn(options.renewEveryMs);
  }

  deadlineMs(): number {
    return this.#deadlineMs;
  }

  isLeading(): boolean {
    if (!this.#isOver && this.#options.clock.monotonicMs() >= this.#deadlineMs) {
      this.#lose('no renewal succeeded in time');
    }
    return !this.#isOver;
  }

  requireLeading(): void {
    if (!this.isLeading()) throw new HostlerError('Aborted', `${this.holder} does not lead any more`);
  }

  /** Asks the work to end; the lease is renewed on while it does. */
  abortWork(): void {
    this.#work.abort(new HostlerError('Aborted', 'Leading was ended'));
  }

  /** Ends the term without losing it: no renewal, and `isLeading` is false from now on. Idempotent. */
  end(): void {
    this.#isOver = true;
    this.#renewTimer?.cancel();
    this.#deadlineTimer?.cancel();
    this.#renewals.abort();
    this.abortWork();
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    // First, so that whoever waits for both learns of the loss before the end of the work that it causes.
    this.#tellLost(reason);
    this.end();
  }

  #watchDeadline(): void {
    this.#deadlineTimer?.cancel();
    const delayMs = Math.max(0, this.#deadlineMs - this.#options.clock.monotonicMs());
    this.#deadlineTimer = this.#options.clock.schedule(delayMs, () => {
      // Timers may fire a little early.
      if (this.isLeading()) this.#watchDeadline();
    });
  }

  #tick(): void {
    if (!this.isLeading()) return;
    this.#renewIn(this.#options.renewEveryMs);
    if (this.#pending < mostPending) void this.#renew();
  }

  #renewIn(delayMs: number): void {
    this.#renewTimer?.cancel();
    this.#renewTimer = this.#options.clock.schedule(delayMs, () => this.#tick());
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    const { lease, clock, logger, metrics } = this.#options;
    const sentMs = clock.monotonicMs();
    this.#pending++;
    try {
      await lease.renew(this.#term, this.#renewals.signal);
      metrics.count('hostler_leader_renewals_total', { result: 'ok' });
      this.#extend(sentMs);
    } catch (error) {
      if (this.#isOver) return;
      metrics.count('hostler_leader_renewals_total', { result: 'failed' });
      if (hasCode(error, 'NotFound')) return this.#lose(messageOf(error));
      logger.warn({ error: messageOf(error) }, 'leader lease not renewed');
      this.#renewIn(this.#options.renewEveryMs / 4);
    } finally {
      this.#pending--;
    }
  }

  /** An answer that comes after the deadline does not bring the term back. */
  #extend(sentMs: number): void {
    if (!this.isLeading()) return;
    const deadlineMs = sentMs + this.#options.ttlMs - this.#options.marginMs;
    if (deadlineMs <= this.#deadlineMs) return;
    this.#deadlineMs = deadlineMs;
    this.#watchDeadline();
  }
}
