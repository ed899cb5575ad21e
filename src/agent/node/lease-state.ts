import { disarmed } from '../../plan/failover/guard.ts';
import {
  deadlineMs,
  type LeaseAction,
  type NodeLeaseState,
  onSent,
  startNodeLease,
} from '../../plan/failover/node-lease.ts';
import type { FailoverTiming } from '../../plan/failover/timing.ts';
import { type Moment, nowBefore } from '../../plan/failover/two-clocks.ts';
import type { Clock } from '../../ports/clock.ts';
import type { GuardReport } from '../../ports/guard.ts';
import type { GuardLink } from '../guard/guard-link.ts';
import type { TimingKeeper } from './timing-keeper.ts';

/**
 * Where the node stands with its lease: the state of plan/failover/node-lease, with the end of the permission on both clocks.
 * After each change the guard is told, before anybody here may act on it.
 */
export interface LeaseStateDeps {
  clock: Clock;
  guard: Pick<GuardLink, 'setLease'>;
  timing: Pick<TimingKeeper, 'kept'>;
  /** There is time for starts again. */
  onHeld(): void;
  onChange(): void;
}

type Sent = Exclude<LeaseAction, { do: 'wait' }>;
type Before = Parameters<typeof startNodeLease>[2];

/** Of the duration: a start that takes longer than the rest meets the guard. */
const START_MARGIN = 0.4;

export class LeaseState {
  readonly #deps: LeaseStateDeps;
  #state: NodeLeaseState;
  #wallDeadlineMs = Number.NEGATIVE_INFINITY;

  constructor(deps: LeaseStateDeps) {
    this.#deps = deps;
    this.#state = startNodeLease(deps.clock.monotonicMs(), disarmed, undefined);
  }

  get(): NodeLeaseState {
    return this.#state;
  }

  now(): Moment {
    const { clock } = this.#deps;
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() };
  }

  /** Now, as seen from the end of the permission: a host that slept has less left of it than its monotonic clock says. */
  nowBeforeEnd(): number {
    const end = { monotonicMs: deadlineMs(this.#state), wallMs: this.#wallDeadlineMs };
    return nowBefore(end, this.now());
  }

  isHeld(): boolean {
    return this.#state.mode === 'Held' && !this.isExpired();
  }

  isExpired(): boolean {
    return this.#deps.clock.monotonicMs() >= deadlineMs(this.#state);
  }

  /** The agent begins, with what the guard has from the one before. */
  begin(report: GuardReport | undefined, before: Before): void {
    const { term, deadlineMs: until } = report ?? disarmed;
    const { monotonicMs, wallMs } = this.now();
    this.#state = startNodeLease(monotonicMs, { term, deadlineMs: until }, before);
    this.#wallDeadlineMs = wallMs + until - monotonicMs;
  }

  /** A request is on its way, which changes nothing for the guard. */
  sent(action: Sent, nowMs: number, timing: FailoverTiming): void {
    this.#state = onSent(this.#state, action, nowMs, timing);
  }

  /** @param from the moment from which a new deadline counts */
  change(next: NodeLeaseState, from?: Moment): void {
    const couldStart = this.#hasTimeForStarts();
    const before = deadlineMs(this.#state);
    this.#state = next;
    const deadline = deadlineMs(next);
    if (deadline !== before && from !== undefined) {
      this.#wallDeadlineMs = from.wallMs + deadline - from.monotonicMs;
    }
    // What was read, but not renewed yet, gives no deadline: the guard's own one is as good.
    if (next.mode !== 'Unread' && (next.mode === 'Revoked' || Number.isFinite(deadline))) this.#tellGuard();
    if (!couldStart && this.#hasTimeForStarts()) this.#deps.onHeld();
    this.#deps.onChange();
  }

  #tellGuard(): void {
    const { guard, timing } = this.#deps;
    const { term, mode, liveUntilMs } = this.#state;
    const revoked = mode === 'Revoked';
    guard.setLease({
      term,
      deadlineMs: deadlineMs(this.#state),
      wallDeadlineMs: revoked ? Number.NEGATIVE_INFINITY : this.#wallDeadlineMs,
      revoked,
      timing: timing.kept(),
      liveUntilMs,
      startMarginMs: this.#startMarginMs(),
    });
  }

  #startMarginMs(): number {
    return this.#deps.timing.kept().durationMs * START_MARGIN;
  }

  #hasTimeForStarts(): boolean {
    return this.isHeld() && this.nowBeforeEnd() + this.#startMarginMs() <= deadlineMs(this.#state);
  }
}
