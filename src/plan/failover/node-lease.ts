/**
 * A node's side of its lease: when to renew, when only to read, and until when containers that may be recovered
 * elsewhere are allowed to run here. Every time is the node's own monotonic clock in milliseconds; none is ever compared
 * with another machine's. What must hold, and why, is argued in docs/design/0003-fencing.md; the simulation in
 * test/simulation runs this very code.
 */
import type { GuardState } from './guard.ts';
import type { FailoverTiming } from './timing.ts';

/**
 * - `Unread`: this process has not seen the lease yet
 * - `Held`: ours; renewals are sent
 * - `Doubtful`: the outcome of a renewal is unknown, and it may still arrive: no more are sent until a read succeeds
 * - `Revoked`: the leader took it; only a grant by the leader (a higher term) brings it back
 */
export type LeaseMode = 'Unread' | 'Held' | 'Doubtful' | 'Revoked';

export interface NodeLeaseState {
  mode: LeaseMode;
  term: number;
  resourceVersion: string;
  /** Until when the last successful renewal carries. */
  leaseUntilMs: number;
  /** Until when the word of the peers carries; see witness.ts. */
  witnessUntilMs: number;
  /** When the last renewal was sent, whatever became of it; the start of this process if none was. */
  lastSentMs: number;
  /** Until when a leader may rightly count this node as live: of no renewal that was sent is suspectAfter + margin over. */
  liveUntilMs: number;
  /** When the reply arrived that `resourceVersion` comes from. */
  repliedMs: number;
  /** Nothing is sent before. */
  nextMs: number;
  /** Whether a call is under way: there is never more than one. */
  busy: boolean;
}

export type LeaseAction =
  | { do: 'wait'; untilMs: number }
  | { do: 'read' }
  /** Conditional on `resourceVersion`. `sinceReplyMs` goes with it, for the leader's storm brake. */
  | { do: 'renew'; resourceVersion: string; term: number; sinceReplyMs: number }
  /** Asks the leader for a new term, by a write conditional on `resourceVersion`. */
  | { do: 'rejoin'; resourceVersion: string };

/** The lease as it was read. `holder` is empty while it is revoked. */
export interface LeaseRead {
  holder: string;
  term: number;
  resourceVersion: string;
  /** Whether this node has asked to be let back in. */
  rejoinAsked: boolean;
}

const NEVER = Number.NEGATIVE_INFINITY;

/**
 * @param guard what the host's guard still holds from the agent before this one
 * @param before what that agent went by; undefined: not known, until the lease is read
 */
export function startNodeLease(
  nowMs: number,
  guard: GuardState,
  before: { timing: FailoverTiming; liveUntilMs: number } | undefined,
): NodeLeaseState {
  return {
    // In doubt, and not unread, an agent that starts during an outage can still ask its peers.
    mode: nowMs < guard.deadlineMs ? 'Doubtful' : 'Unread',
    term: guard.term,
    resourceVersion: '',
    leaseUntilMs: guard.deadlineMs,
    witnessUntilMs: NEVER,
    // A renewal of the process before this one may still be on its way.
    lastSentMs: nowMs,
    liveUntilMs:
      before === undefined
        ? Number.POSITIVE_INFINITY
        : Math.max(before.liveUntilMs, nowMs + suspectMs(before.timing)),
    repliedMs: nowMs,
    nextMs: nowMs,
    busy: false,
  };
}

/** The end of the permission to run: nothing that may be recovered elsewhere runs or starts at or after it. */
export function deadlineMs(state: NodeLeaseState): number {
  return state.mode === 'Revoked' ? NEVER : Math.max(state.leaseUntilMs, state.witnessUntilMs);
}

export function nextLeaseAction(state: NodeLeaseState, nowMs: number): LeaseAction {
  if (state.busy) return { do: 'wait', untilMs: Number.POSITIVE_INFINITY };
  if (nowMs < state.nextMs) return { do: 'wait', untilMs: state.nextMs };
  if (state.mode !== 'Held') return { do: 'read' };
  const { resourceVersion, term } = state;
  return { do: 'renew', resourceVersion, term, sinceReplyMs: nowMs - state.repliedMs };
}

/** To be called before the action leaves the process. @param stated the timing that a renewal states */
export function onSent(
  state: NodeLeaseState,
  action: LeaseAction,
  nowMs: number,
  stated: FailoverTiming,
): NodeLeaseState {
  if (action.do !== 'renew') return { ...state, busy: true };
  const liveUntilMs = Math.max(state.liveUntilMs, nowMs + suspectMs(stated));
  return { ...state, busy: true, lastSentMs: nowMs, liveUntilMs };
}

function suspectMs({ suspectAfterMs, witnessMarginMs }: FailoverTiming): number {
  return suspectAfterMs + witnessMarginMs;
}

/** The renewal that was sent at `lastSentMs` succeeded. */
export function onRenewed(
  state: NodeLeaseState,
  reply: { nowMs: number; resourceVersion: string },
  timing: FailoverTiming,
): NodeLeaseState {
  return {
    ...state,
    busy: false,
    resourceVersion: reply.resourceVersion,
    repliedMs: reply.nowMs,
    leaseUntilMs: Math.max(state.leaseUntilMs, state.lastSentMs + timing.durationMs),
    nextMs: Math.max(reply.nowMs, state.lastSentMs + timing.renewMs),
  };
}

/**
 * A renewal was refused, or its outcome is unknown. Both mean: read before anything is written again. (A refusal means
 * that somebody else has written the lease.)
 */
export function onRenewFailed(
  state: NodeLeaseState,
  reply: { nowMs: number; refused: boolean },
): NodeLeaseState {
  return { ...state, busy: false, mode: 'Doubtful', nextMs: reply.nowMs };
}

/** A read, or a request to be let back in, failed: nothing is known; try again after a part of `renewMs`. */
export function onReadFailed(state: NodeLeaseState, nowMs: number, timing: FailoverTiming): NodeLeaseState {
  return { ...state, busy: false, nextMs: nowMs + timing.renewMs / 4 };
}

/**
 * The lease was read (linearizable).
 * @returns the new state, and the `rejoin` to send now when the lease is revoked and nobody has asked yet
 */
export function onLeaseRead(
  state: NodeLeaseState,
  read: LeaseRead,
  at: { node: string; nowMs: number; timing: FailoverTiming },
): { state: NodeLeaseState; rejoin?: LeaseAction & { do: 'rejoin' } } {
  const liveUntilMs = Number.isFinite(state.liveUntilMs)
    ? state.liveUntilMs
    : at.nowMs + suspectMs(at.timing);
  const { resourceVersion } = read;
  const seen = { ...state, busy: false, resourceVersion, liveUntilMs, repliedMs: at.nowMs };
  if (read.holder === at.node) {
    // A new term was granted in between: what the old one permitted is void.
    const until = read.term === state.term ? {} : { leaseUntilMs: NEVER, witnessUntilMs: NEVER };
    return { state: { ...seen, ...until, mode: 'Held', term: read.term, nextMs: at.nowMs } };
  }
  const revoked: NodeLeaseState = {
    ...seen,
    mode: 'Revoked',
    leaseUntilMs: NEVER,
    witnessUntilMs: NEVER,
    nextMs: at.nowMs + at.timing.renewMs / 2,
  };
  return read.rejoinAsked
    ? { state: revoked }
    : { state: revoked, rejoin: { do: 'rejoin', resourceVersion: read.resourceVersion } };
}
