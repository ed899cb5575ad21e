import { NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import { type Lease, leaseRef } from '../../crds/lease.ts';
import {
  deadlineMs,
  type LeaseAction,
  nextLeaseAction,
  onLeaseRead,
  onReadFailed,
  onRenewed,
  onRenewFailed,
} from '../../plan/failover/node-lease.ts';
import { leaseRecord } from '../../plan/failover/lease-record.ts';
import type { FailoverTiming } from '../../plan/failover/timing.ts';
import type { Moment } from '../../plan/failover/two-clocks.ts';
import { shouldAskPeers, witnessAnswer } from '../../plan/failover/witness.ts';
import type { Clock } from '../../ports/clock.ts';
import { withDeadline } from '../../ports/deadline.ts';
import { hasCode, HostlerError, messageOf } from '../../ports/errors.ts';
import type { GuardReport } from '../../ports/guard.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { Runnable } from '../../reconcile/runnable.ts';
import type { GuardLink } from '../guard/guard-link.ts';
import { createPause, type Pause } from './pause.ts';
import { microTime, readingOf, rejoining, renewed } from './lease-object.ts';
import { LeaseState } from './lease-state.ts';
import { createTimingKeeper, type Said, type TimingKeeper } from './timing-keeper.ts';
import type { Witnesses } from './witnesses.ts';

/**
 * The node's own lease. What is to be done, and what follows from the answers, is decided by the state machine of
 * plan/failover/node-lease, which the simulation proves; this loop carries it out: one request at a time, with a deadline
 * below the time between renewals, and questions to the peers beside it. After each change the guard is told.
 */
export interface NodeLease extends Runnable {
  /** Whether it is ours, and its deadline lies ahead. */
  isHeld(): boolean;
  /** Whether what may be recovered elsewhere may not run here any more, or not yet. */
  isExpired(): boolean;
  /** What a peer is told (plan/failover/witness). */
  cutOffForMs(): number;
  /** The timing that the lease states; undefined: it was not read yet. */
  timing(): FailoverTiming | undefined;
  /** What people want it to be from now on. */
  want(timing: FailoverTiming): void;
}

export interface NodeLeaseDeps {
  nodeName: string;
  store: Pick<ObjectStore, 'get' | 'create' | 'update'>;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  guard: Pick<GuardLink, 'atStart' | 'keeps' | 'setLease'>;
  witnesses: Pick<Witnesses, 'ask' | 'version' | 'onSaid'>;
  /** Before the first renewal; rejects: not now. */
  takeBackWord(signal: AbortSignal): Promise<void>;
  /** There is time for starts again: the lease was got, or renewed after so little of it had been left that nothing was started. */
  onHeld(): void;
  /** The lease states another timing now. */
  onTiming(): void;
  /** At the start, with what the guard had from the agent before. */
  onGuard(report: GuardReport): void;
  /**
   * The agent ends. Says on the Node that the guard lets everything run on, and tells the guard; only when `renewUnarmed`
   * has resolved may the guard be told.
   */
  onStop(renewUnarmed: (signal: AbortSignal) => Promise<void>): Promise<void>;
}

/** Of the time between two renewals: an answer that takes longer is none. */
const ANSWER_WITHIN = 0.9;
const ASK_EVERY_MS = 250;

export function createNodeLease(deps: NodeLeaseDeps): NodeLease {
  return new LeaseLoop(deps);
}

class LeaseLoop implements NodeLease {
  readonly name = 'node-lease';
  readonly #deps: NodeLeaseDeps;
  readonly #key: { namespace: string; name: string };
  readonly #pause: Pause;
  readonly #timing: TimingKeeper;
  readonly #state: LeaseState;
  /** As it was last read or written; the state's resourceVersion is its. */
  #lease: Lease | undefined;
  #renewals = 0;
  #lastAskedMs = Number.NEGATIVE_INFINITY;
  #isTroubled: boolean | undefined;

  constructor(deps: NodeLeaseDeps) {
    this.#deps = deps;
    this.#key = { namespace: NODE_LEASE_NAMESPACE, name: deps.nodeName };
    this.#pause = createPause(deps.clock);
    this.#timing = createTimingKeeper(deps.guard, () => deps.onTiming());
    this.#state = new LeaseState({ ...deps, timing: this.#timing, onChange: () => this.#pause.end() });
  }

  isHeld(): boolean {
    return this.#state.isHeld();
  }

  ready(): boolean {
    return this.isHeld();
  }

  isExpired(): boolean {
    return this.#state.isExpired();
  }

  timing(): FailoverTiming | undefined {
    return this.#timing.stated();
  }

  want(timing: FailoverTiming): void {
    this.#timing.want(timing);
    const { nextMs, lastSentMs } = this.#state.get();
    // The next renewal may have been put off for longer than the pace is now.
    this.#state.change({ ...this.#state.get(), nextMs: Math.min(nextMs, lastSentMs + timing.renewMs) });
  }

  cutOffForMs(): number {
    return witnessAnswer(this.#state.get(), this.#deps.clock.monotonicMs());
  }

  async start(signal: AbortSignal): Promise<void> {
    const { clock, guard } = this.#deps;
    const report = await guard.atStart(signal);
    if (report !== undefined) this.#deps.onGuard(report);
    this.#state.begin(report, this.#timing.begin(report));
    const running = new Set<Promise<void>>();
    const run = (task: Promise<void>): void => {
      running.add(task);
      void task.finally(() => running.delete(task));
    };
    while (!signal.aborted) {
      if (this.#shouldAsk()) run(this.#askPeers(signal));
      const task = this.#act(signal);
      if (task !== undefined) run(task);
      const next = nextLeaseAction(this.#state.get(), clock.monotonicMs());
      const waitMs = next.do === 'wait' ? next.untilMs - clock.monotonicMs() : 0;
      await this.#pause.wait(Math.min(Math.max(waitMs, 0), this.#beatMs()), signal);
    }
    await Promise.all(running);
    await this.#deps.onStop((inner) => this.#renewUnarmed(inner));
  }

  #act(signal: AbortSignal): Promise<void> | undefined {
    const nowMs = this.#deps.clock.monotonicMs();
    const action = nextLeaseAction(this.#state.get(), nowMs);
    if (action.do === 'wait') return undefined;
    const said = this.#timing.toSay(nowMs, deadlineMs(this.#state.get()));
    this.#state.sent(action, nowMs, said.timing);
    return action.do === 'renew' ? this.#renew(action, said, signal) : this.#read(signal);
  }

  async #renew(
    { sinceReplyMs }: LeaseAction & { do: 'renew' },
    said: Said,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, metrics } = this.#deps;
    const sent: Moment = { monotonicMs: this.#state.get().lastSentMs, wallMs: clock.nowMs() };
    try {
      const lease = await this.#call('Renewing the node lease', signal, async (inner) => {
        await this.#deps.takeBackWord(inner);
        return await this.#write(said, sinceReplyMs, inner);
      });
      this.#lease = lease;
      this.#timing.onConfirmed(said.timing);
      this.#deps.witnesses.onSaid(leaseRecord(lease).uses);
      const nowMs = clock.monotonicMs();
      const resourceVersion = lease.metadata.resourceVersion ?? '';
      this.#state.change(onRenewed(this.#state.get(), { nowMs, resourceVersion }, this.#timing.kept()), sent);
      metrics.observeSeconds('hostler_agent_lease_renewal_seconds', (nowMs - sent.monotonicMs) / 1_000);
      this.#tell(undefined);
    } catch (error) {
      if (signal.aborted) return;
      metrics.count('hostler_agent_lease_failures_total');
      const nowMs = clock.monotonicMs();
      const next = onRenewFailed(this.#state.get(), {
        nowMs,
        refused: hasCode(error, 'Conflict', 'NotFound'),
      });
      // An API that answers, and refuses for another reason, is not asked again and again.
      const isOdd = !hasCode(error, 'Conflict', 'NotFound', 'Timeout', 'Unavailable', 'Aborted');
      this.#state.change(isOdd ? { ...next, nextMs: nowMs + this.#timing.kept().renewMs / 4 } : next);
      if (!hasCode(error, 'Conflict')) this.#tell(messageOf(error));
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { clock, store, logger, nodeName } = this.#deps;
    try {
      this.#lease = await this.#call('Reading the node lease', signal, (inner) =>
        store.get<Lease>(leaseRef, this.#key, inner),
      );
    } catch (error) {
      if (signal.aborted) return;
      this.#tell(messageOf(error));
      return this.#state.change(onReadFailed(this.#state.get(), clock.monotonicMs(), this.#timing.kept()));
    }
    this.#timing.onRead(this.#lease);
    const reading = readingOf(this.#lease);
    const { mode } = this.#state.get();
    const at = { node: nodeName, nowMs: clock.monotonicMs(), timing: this.#timing.kept() };
    const outcome = onLeaseRead(this.#state.get(), reading, at);
    this.#state.change(outcome.state);
    const { mode: now, term } = outcome.state;
    if (now !== mode) logger.info({ mode: now, term }, 'the node lease was read');
    if (now !== 'Revoked') return;
    const isOthers = reading.holder !== '';
    this.#tell(isOthers ? `${reading.holder} holds it` : 'it was revoked, or not granted yet');
    if (outcome.rejoin !== undefined && !isOthers) await this.#rejoin(signal);
  }

  async #rejoin(signal: AbortSignal): Promise<void> {
    const { store, logger, nodeName } = this.#deps;
    const known = this.#lease;
    const timing = this.#timing.toAsk();
    this.#timing.onSent(timing);
    const wanted = rejoining(known, nodeName, timing);
    try {
      await this.#call('Asking for a node lease', signal, (inner) =>
        known === undefined ? store.create(leaseRef, wanted, inner) : store.update(leaseRef, wanted, inner),
      );
      logger.info({}, 'asked the leader to let the node in');
    } catch (error) {
      // The next read tells what became of it.
      logger.debug({ error: messageOf(error) }, 'could not ask for a node lease');
    }
  }

  /** In doubt, until the next question: whatever cut the last pause short, questions are no further apart. */
  #beatMs(): number {
    if (this.#state.get().mode !== 'Doubtful') return this.#timing.kept().renewMs;
    const sinceMs = this.#deps.clock.monotonicMs() - this.#lastAskedMs;
    return sinceMs < ASK_EVERY_MS ? ASK_EVERY_MS - sinceMs : ASK_EVERY_MS;
  }

  /** A question that a peer leaves open is no reason to wait with the next one: the lease may end meanwhile. */
  #shouldAsk(): boolean {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#lastAskedMs < ASK_EVERY_MS) return false;
    return (
      this.#timing.isKnown() &&
      shouldAskPeers(this.#state.get(), this.#state.nowBeforeEnd(), this.#timing.kept())
    );
  }

  async #askPeers(signal: AbortSignal): Promise<void> {
    const { clock, witnesses, logger } = this.#deps;
    const asked = this.#state.now();
    this.#lastAskedMs = asked.monotonicMs;
    await witnesses.ask(asked, signal, (count) => {
      const next = count(this.#state.get(), {
        nowMs: this.#state.nowBeforeEnd(),
        timing: this.#timing.kept(),
      });
      if (next === this.#state.get()) return;
      logger.debug(
        { forMs: Math.round(deadlineMs(next) - clock.monotonicMs()) },
        'most nodes are cut off: this one runs on',
      );
      this.#state.change(next, asked);
    });
  }

  /** The last renewal, with which the leader knows that the guard does not stop anything. */
  async #renewUnarmed(signal: AbortSignal): Promise<void> {
    if (this.#state.get().mode !== 'Held')
      throw new HostlerError('Unavailable', 'The node lease is not held');
    const nowMs = this.#deps.clock.monotonicMs();
    const sinceReplyMs = nowMs - this.#state.get().repliedMs;
    const said = {
      timing: this.#timing.toSay(nowMs, deadlineMs(this.#state.get())).timing,
      isGuardArmed: false,
    };
    await this.#call('Renewing the node lease for the last time', signal, (inner) =>
      this.#write(said, sinceReplyMs, inner),
    );
  }

  async #write(what: Said, sinceReplyMs: number, signal: AbortSignal): Promise<Lease> {
    const { nodeName, store, clock, witnesses } = this.#deps;
    this.#timing.onSent(what.timing);
    const { term, resourceVersion } = this.#state.get();
    const renewTime = microTime(clock.nowMs(), this.#renewals++);
    const membersVersion = witnesses.version();
    const renewal = { ...what, nodeName, term, resourceVersion, sinceReplyMs, renewTime, membersVersion };
    return await store.update(leaseRef, renewed(this.#lease as Lease, renewal), signal);
  }

  #call<T>(what: string, signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock } = this.#deps;
    return withDeadline({ clock, timeoutMs: this.#timing.kept().renewMs * ANSWER_WITHIN, what }, signal, run);
  }

  /** Of one outage every request has another tale to tell: the first is enough. */
  #tell(trouble: string | undefined): void {
    const { logger } = this.#deps;
    const { mode, term } = this.#state.get();
    const isNews = this.#isTroubled !== (trouble !== undefined);
    this.#isTroubled = trouble !== undefined;
    if (!isNews) return;
    if (trouble === undefined) logger.info({ term }, 'the node lease is renewed');
    else logger.warn({ error: trouble, mode }, 'the node lease is not renewed');
  }
}
