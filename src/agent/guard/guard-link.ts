import { armGuard, disarmed, type GuardState } from '../../plan/failover/guard.ts';
import type { FailoverTiming } from '../../plan/failover/timing.ts';
import type { GuardKeeps } from '../../plan/failover/timing-change.ts';
import { type Clock, sleep } from '../../ports/clock.ts';
import { HostlerError, messageOf } from '../../ports/errors.ts';
import type { Guard, GuardedContainer, GuardLease, GuardReport } from '../../ports/guard.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Runnable } from '../../reconcile/runnable.ts';

/**
 * The agent's end of the line to the guard. It keeps the guard there and told: each change of the lease and of the list is
 * sent, and all of it again to a guard that was lost and is back. Nothing is ordered before something certain is known of
 * the lease: an agent that has only just started knows less than its guard.
 */
export interface GuardLink extends Runnable {
  /** Resolves with what the guard held at the agent's start; with undefined when none answers in time. */
  atStart(signal: AbortSignal): Promise<GuardReport | undefined>;
  /** Whether the guard is there and holds what the agent has told it last. */
  isArmed(): boolean;
  /** What it has confirmed of the lease; undefined: it is not armed. */
  keeps(): GuardKeeps | undefined;
  /** The same, for the world: undefined while that is still being found out. */
  verdict(): boolean | undefined;
  /** The same as of now: what the agent knows of its lease. */
  setLease(lease: GuardLease): void;
  /** All containers that stop at the deadline. */
  setContainers(containers: readonly GuardedContainer[]): void;
  /** Whether the guard has confirmed a list with this container on it. */
  knows(container: Pick<GuardedContainer, 'instance' | 'uid'>): boolean;
  /** Asks the guard, once it has the present list. False when it does not answer. */
  mayStart(container: GuardedContainer, signal: AbortSignal): Promise<boolean>;
  /** As GuardOrder.released. @throws when the guard has not confirmed it */
  release(signal: AbortSignal): Promise<void>;
}

export interface GuardLinkDeps {
  /** Absent: this host can have none. */
  guard: Guard | undefined;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  /** isArmed, or the list that it has confirmed, is another now. */
  onChange: () => void;
}

const START_MS = 6_000;
const RETRY_MS = 250;

export function createGuardLink(deps: GuardLinkDeps): GuardLink {
  return new Line(deps);
}

class Line implements GuardLink {
  readonly name = 'guard';
  readonly #deps: GuardLinkDeps;
  readonly #first = Promise.withResolvers<GuardReport | undefined>();
  #isConnected = false;
  #isReleased = false;
  #isDirty = false;
  #verdict: boolean | undefined;
  #lease: GuardLease | undefined;
  /** The guard's, as it was reported or follows from what was confirmed. */
  #held: GuardState = disarmed;
  #kept: FailoverTiming | undefined;
  #containers: readonly GuardedContainer[] | undefined;
  #confirmed: readonly GuardedContainer[] = [];
  #sending: Promise<void> | undefined;
  #stop: AbortSignal = new AbortController().signal;

  constructor(deps: GuardLinkDeps) {
    this.#deps = deps;
    deps.guard?.onLost(() => {
      this.#isConnected = false;
      this.#judge(false);
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { guard, clock } = this.#deps;
    this.#stop = signal;
    if (guard === undefined) {
      this.#first.resolve(undefined);
      this.#judge(false);
    }
    while (!signal.aborted) {
      if (guard !== undefined && !this.#isConnected) await this.#connect(guard, signal);
      if (this.#isDirty) void this.#send();
      await sleep(clock, RETRY_MS, signal);
    }
  }

  async atStart(signal: AbortSignal): Promise<GuardReport | undefined> {
    const limit = new AbortController();
    const onAbort = (): void => limit.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    const late = sleep(this.#deps.clock, START_MS, limit.signal).then(() => undefined);
    const report = await Promise.race([this.#first.promise, late]);
    limit.abort();
    signal.removeEventListener('abort', onAbort);
    return report;
  }

  isArmed(): boolean {
    return this.#verdict === true;
  }

  keeps(): GuardKeeps | undefined {
    return this.isArmed() ? { deadlineMs: this.#held.deadlineMs, kept: this.#kept } : undefined;
  }

  verdict(): boolean | undefined {
    return this.#verdict;
  }

  setLease(lease: GuardLease): void {
    this.#lease = lease;
    this.#changed();
  }

  setContainers(containers: readonly GuardedContainer[]): void {
    this.#containers = containers;
    this.#changed();
  }

  knows({ instance, uid }: Pick<GuardedContainer, 'instance' | 'uid'>): boolean {
    return (
      this.isArmed() && this.#confirmed.some((known) => known.instance === instance && known.uid === uid)
    );
  }

  async mayStart(container: GuardedContainer, signal: AbortSignal): Promise<boolean> {
    const { guard, logger } = this.#deps;
    if (guard === undefined || !this.#isConnected) return false;
    try {
      while (this.#isDirty || this.#sending !== undefined) {
        await this.#send();
        if (this.#isDirty && !this.isArmed()) return false;
      }
      return await guard.mayStart(container, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      logger.warn({ error: messageOf(error) }, 'the guard does not say whether a container may start');
      return false;
    }
  }

  async release(signal: AbortSignal): Promise<void> {
    const { guard } = this.#deps;
    if (guard === undefined || !this.#isConnected) throw new HostlerError('Unavailable', 'There is no guard');
    this.#isReleased = true;
    await this.#sending;
    await guard.order({ released: true }, signal);
  }

  #judge(isArmed: boolean): void {
    const { metrics, logger, onChange } = this.#deps;
    if (this.#verdict === isArmed) return;
    this.#verdict = isArmed;
    metrics.set('hostler_agent_guard_armed', isArmed ? 1 : 0);
    if (isArmed) logger.info({}, 'the guard is armed');
    else logger.warn({}, 'the guard is not armed');
    onChange();
  }

  async #connect(guard: Guard, signal: AbortSignal): Promise<void> {
    try {
      const report = await guard.connect(signal);
      this.#isConnected = true;
      this.#confirmed = report.containers;
      this.#held = { term: report.term, deadlineMs: report.deadlineMs };
      this.#kept = undefined;
      this.#first.resolve(report);
      this.#changed();
    } catch (error) {
      if (signal.aborted) return;
      this.#judge(false);
      this.#deps.logger.debug({ error: messageOf(error) }, 'there is no guard');
    }
  }

  #changed(): void {
    this.#isDirty = true;
    void this.#send();
  }

  #send(): Promise<void> {
    if (this.#sending !== undefined) return this.#sending;
    const task = this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    this.#sending = task;
    return task;
  }

  async #sendAll(): Promise<void> {
    const { guard, logger, onChange } = this.#deps;
    while (this.#isDirty && this.#isConnected && this.#lease !== undefined && !this.#isReleased) {
      this.#isDirty = false;
      const list = this.#containers;
      const isNews = list !== undefined && list !== this.#confirmed;
      try {
        const lease = this.#lease;
        await guard?.order({ lease, ...(isNews ? { containers: list } : {}) }, this.#stop);
        this.#held = armGuard(this.#held, lease);
        this.#kept = lease.timing;
      } catch (error) {
        this.#isDirty = true;
        logger.warn({ error: messageOf(error) }, 'the guard does not take orders');
        return this.#judge(false);
      }
      if (isNews) this.#confirmed = list;
      if (isNews && this.isArmed()) onChange();
      this.#judge(true);
    }
  }
}
