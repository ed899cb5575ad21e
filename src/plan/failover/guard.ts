/**
 * What the guard of a host remembers: the term and the deadline that the agent armed it with. It outlives the agent, so
 * an agent that was killed or frozen changes nothing here, and the deadline passes all the same.
 */
export interface GuardState {
  term: number;
  /** On the host's monotonic clock, which agent and guard share. */
  deadlineMs: number;
}

export const disarmed: GuardState = { term: 0, deadlineMs: Number.NEGATIVE_INFINITY };

/**
 * The agent's word after every change of its lease. Within one term a deadline only moves on (an agent that was just
 * started knows less than its guard does); a new term replaces it; a revocation ends it at once.
 */
export function armGuard(
  state: GuardState,
  lease: { term: number; deadlineMs: number; revoked: boolean },
): GuardState {
  if (lease.revoked) return { term: state.term, deadlineMs: Number.NEGATIVE_INFINITY };
  if (lease.term < state.term) return state;
  if (lease.term > state.term) return { term: lease.term, deadlineMs: lease.deadlineMs };
  return lease.deadlineMs > state.deadlineMs ? { term: state.term, deadlineMs: lease.deadlineMs } : state;
}
