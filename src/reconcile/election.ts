import type { Clock } from '../ports/clock.ts';
import { sleep } from '../ports/clock.ts';
import { messageOf } from '../ports/errors.ts';
import type { LeaderAcquisition, LeaderLease } from '../ports/leader-lease.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import { HeldTerm } from './election-term.ts';
import type { Leadership, TermOptions } from './election-term.ts';

export type { Leadership } from './election-term.ts';

/**
 * Leader election: of all replicas, at most one leads at any instant. A replica leads only until its own monotonic
 * deadline (the moment its last successful renewal was *sent* + TTL − margin), which comes before the store lets anyone
 * else have the lease; and it leads once: after a loss the process is expected to exit, because what it knows is old.
 */
export interface ElectionOptions {
  lease: LeaderLease;
  /** Names this replica; different for each process that ever takes part. */
  holder: string;
  /** @defaultValue 5 */
  ttlSeconds?: number;
  /** @defaultValue 1000 */
  renewEveryMs?: number;
  /** How long before the lease's end this replica stops leading. @defaultValue a fifth of the TTL */
  marginMs?: number;
  /** How long `lead` may take to end once it was asked to. @defaultValue 10000 */
  settleMs?: number;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  /** The work of the leader. Looks at `term.isLeading()` before each act and ends soon after `signal` is aborted. */
  lead: (term: Leadership, signal: AbortSignal) => Promise<void>;
  /** Told of each other leader that is seen. */
  onNewLeader?: (holder: string) => void;
}

/**
 * Why an election ended:
 * - `stopped`: the signal was aborted; the lease is given up if `lead` had settled
 * - `finished`: `lead` ended by itself; the lease is given up
 * - `failed`: `lead` threw `error`; the lease is given up
 * - `lost`: the deadline passed or the lease was gone. The process should exit
 *
 * `settled` is false when `lead` still ran after `settleMs`; the lease is then left to run out.
 */
export type ElectionEnd =
  | { reason: 'stopped' | 'finished'; settled: boolean }
  | { reason: 'failed'; error: unknown; settled: true }
  | { reason: 'lost'; cause: string; settled: boolean };

/** The longest that a replica waits before it looks for itself whether the lease is free. */
const recheckMs = 10_000;

/**
 * Campaigns until it leads, leads until it is stopped, loses the lease, or the work ends. Failures of the store during
 * the campaign are tried again for ever.
 * @param signal a clean stop
 * @returns why it ended; never rejects on its own account
 */
export async function runElection(options: ElectionOptions, signal: AbortSignal): Promise<ElectionEnd> {
  const terms = termOptions(options);
  const held = await campaign(options, terms, signal);
  if (!held) return { reason: 'stopped', settled: true };
  options.logger.info({ holder: held.holder, createRevision: held.createRevision }, 'leading');
  options.metrics.set('hostler_leader', 1);
  try {
    const end = await leadUntilEnd(held, options, signal);
    options.logger.info({ holder: held.holder, reason: end.reason, settled: end.settled }, 'leading ended');
    return end;
  } finally {
    options.metrics.set('hostler_leader', 0);
  }
}

function termOptions(options: ElectionOptions): TermOptions {
  const { lease, clock, logger, metrics } = options;
  const ttlMs = (options.ttlSeconds ?? 5) * 1_000;
  const marginMs = options.marginMs ?? ttlMs / 5;
  return { lease, clock, logger, metrics, ttlMs, marginMs, renewEveryMs: options.renewEveryMs ?? 1_000 };
}

/** @returns undefined when the signal came first */
async function campaign(
  options: ElectionOptions,
  terms: TermOptions,
  signal: AbortSignal,
): Promise<HeldTerm | undefined> {
  const { lease, clock, logger, holder } = options;
  let leader: string | undefined;
  while (!signal.aborted) {
    const sentMs = clock.monotonicMs();
    try {
      const result = await lease.acquire(holder, terms.ttlMs / 1_000, signal);
      if (result.acquired) {
        const held = await takeOffice(result, sentMs, { terms, signal });
        if (held) return held;
        continue;
      }
      if (result.holder !== leader) {
        leader = result.holder;
        logger.info({ leader }, 'another replica leads');
        options.onNewLeader?.(leader);
      }
      await waitUntilFree(lease, clock, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      logger.warn({ error: messageOf(error) }, 'cannot campaign');
      await sleep(clock, terms.renewEveryMs, signal);
    }
  }
  return undefined;
}

/** @returns undefined, with the lease given back, when the store's answer took so long that it is not worth having */
async function takeOffice(
  result: Extract<LeaderAcquisition, { acquired: true }>,
  sentMs: number,
  { terms, signal }: { terms: TermOptions; signal: AbortSignal },
): Promise<HeldTerm | undefined> {
  const held = new HeldTerm(result.term, sentMs, terms);
  if (!signal.aborted && held.isLeading()) return held;
  held.end();
  await release(held, terms);
  return undefined;
}

async function waitUntilFree(lease: LeaderLease, clock: Clock, signal: AbortSignal): Promise<void> {
  const enough = new AbortController();
  const timer = clock.schedule(recheckMs, () => enough.abort());
  try {
    await lease.waitUntilFree(AbortSignal.any([signal, enough.signal]));
  } catch (error) {
    if (!enough.signal.aborted) throw error;
  } finally {
    timer.cancel();
  }
}

type First =
  | { is: 'finished' }
  | { is: 'failed'; error: unknown }
  | { is: 'lost'; cause: string }
  | { is: 'stopped' };

async function leadUntilEnd(
  held: HeldTerm,
  options: ElectionOptions,
  signal: AbortSignal,
): Promise<ElectionEnd> {
  const work = doWork(held, options);
  const stop = whenAborted(signal);
  const lost = held.lost.then((cause): First => ({ is: 'lost', cause }));
  try {
    const first = await Promise.race([lost, work, stop.promise]);
    held.abortWork();
    const settled = await settles(work, options);
    return await conclude(first, settled, held, options);
  } finally {
    held.end();
    stop.forget();
  }
}

/** The deadline may pass while the work winds down: then there is nothing left to release. */
async function conclude(
  first: First,
  settled: boolean,
  held: HeldTerm,
  options: ElectionOptions,
): Promise<ElectionEnd> {
  const isHeld = held.isLeading();
  held.end();
  if (settled && isHeld) await release(held, termOptions(options));
  if (first.is === 'lost') return { reason: 'lost', cause: first.cause, settled };
  if (first.is === 'failed') return { reason: 'failed', error: first.error, settled: true };
  return { reason: first.is, settled };
}

async function doWork(held: HeldTerm, options: ElectionOptions): Promise<First> {
  try {
    await options.lead(held, held.signal);
    return { is: 'finished' };
  } catch (error) {
    return { is: 'failed', error };
  }
}

async function settles(work: Promise<unknown>, options: ElectionOptions): Promise<boolean> {
  const settled = new AbortController();
  const waited = sleep(options.clock, options.settleMs ?? 10_000, settled.signal);
  const isSettled = await Promise.race([work.then(() => true), waited.then(() => false)]);
  settled.abort();
  return isSettled;
}

/** Gives the lease up so that the next replica leads at once; if that fails, the lease runs out. Never rejects. */
async function release(held: HeldTerm, terms: TermOptions): Promise<void> {
  const enough = new AbortController();
  const timer = terms.clock.schedule(terms.ttlMs, () => enough.abort());
  try {
    await terms.lease.release(held, enough.signal);
  } catch (error) {
    terms.logger.warn({ error: messageOf(error) }, 'leader lease not given up; it runs out');
  } finally {
    timer.cancel();
  }
}

function whenAborted(signal: AbortSignal): { promise: Promise<First>; forget(): void } {
  const { promise, resolve } = Promise.withResolvers<First>();
  const onAbort = (): void => resolve({ is: 'stopped' });
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}
