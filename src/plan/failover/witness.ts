/**
 * The witnessed outage. When the control plane is gone for everybody, nobody can take a lease away either: the leader
 * revokes only while it sees more than half of the nodes renew (takeover.ts, storm brake). A node that knows that more than
 * half of all nodes, itself counted, had sent no renewal for longer than their suspectAfter *at one common moment* therefore
 * knows that no leader may revoke it for duration + fenceDelay from that moment on, and may go on for one more duration.
 *
 * The common moment is the one at which the node asked. A peer answers for how long, at the time of its answer, no leader
 * could rightly count it as live any more, by the timing that it stated itself; less the time that the answer took, this is
 * how long it was at the moment of the question, at the least.
 */
import type { NodeLeaseState } from './node-lease.ts';
import type { FailoverTiming } from './timing.ts';

/** Peers are asked once less than this part of `duration` is left. */
const ASK_WITHIN = 0.7;

export interface WitnessAnswer {
  peer: string;
  /** For how long the peer had been cut off when it answered, on its own clock and by its own timing; not positive: it is not. */
  cutOffForMs: number;
  /** When the answer arrived here. */
  receivedMs: number;
}

/** What a node tells a peer that asks: for how long it has been cut off; not positive: it is not. */
export function witnessAnswer(state: NodeLeaseState, nowMs: number): number {
  return nowMs - state.liveUntilMs;
}

/** Whether asking the peers makes sense: in doubt, still allowed to run, and not for a good while longer. */
export function shouldAskPeers(state: NodeLeaseState, nowMs: number, timing: FailoverTiming): boolean {
  const deadline = Math.max(state.leaseUntilMs, state.witnessUntilMs);
  return state.mode === 'Doubtful' && nowMs < deadline && deadline - nowMs < timing.durationMs * ASK_WITHIN;
}

/**
 * Counts the answers to one question.
 * @param members every node of the cluster that is counted, this one included (membership.ts)
 * @returns the state with `witnessUntilMs` moved, or the very same state when the answers do not suffice. Permission
 * that has ended does not come back this way: between its end and now the node may have been fenced.
 */
export function onWitnessAnswers(
  state: NodeLeaseState,
  asked: {
    node: string;
    askedMs: number;
    nowMs: number;
    answers: readonly WitnessAnswer[];
    members: readonly string[];
  },
  timing: FailoverTiming,
): NodeLeaseState {
  const deadline = Math.max(state.leaseUntilMs, state.witnessUntilMs);
  if (state.mode !== 'Doubtful' || asked.nowMs >= deadline || !asked.members.includes(asked.node))
    return state;
  const cutOff = new Set<string>();
  if (asked.askedMs > state.liveUntilMs) cutOff.add(asked.node);
  for (const { peer, cutOffForMs, receivedMs } of asked.answers) {
    const atQuestion = cutOffForMs - (receivedMs - asked.askedMs);
    if (atQuestion > 0 && asked.members.includes(peer)) cutOff.add(peer);
  }
  if (cutOff.size * 2 <= asked.members.length) return state;
  const witnessUntilMs = asked.askedMs + timing.durationMs;
  return witnessUntilMs > state.witnessUntilMs ? { ...state, witnessUntilMs } : state;
}
