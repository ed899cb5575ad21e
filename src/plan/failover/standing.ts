/**
 * What a node is to the leader, by its lease and by what proves that it has stopped: the one place from which conditions, the
 * phase of its containers, and the leader's acts follow. Pure; nothing here is a proof by itself: who acts on
 * `Fenceable` reads node and lease afresh and asks again.
 */
import { FENCED_BY_ANNOTATION } from '../../crds/kind.ts';
import type { Node } from '../../crds/node.ts';
import type { LeaseRecord } from './lease-record.ts';
import { mayCountTogether, type MemberList } from './membership.ts';
import type { LeaseSight, NodeVerdict } from './takeover.ts';
import { defaultTiming } from './timing.ts';

export type WaitReason = 'WaitingForFence' | 'StormBrake' | 'TooFewNodes';
export type ProofKind = 'LeaseExpired' | 'Operator' | 'Fencing';

/** `NoLease`: this leader has never seen one. */
export type UnheardReason = 'LeaseExpired' | 'LeaseDeleted' | 'NoLease';

export type Standing =
  /** It renews, or has until just now. */
  | { is: 'Live' }
  /** This leader has not looked for long enough to say anything. */
  | { is: 'Unproven' }
  /** Not heard of, and there is nothing to do yet. */
  | { is: 'Unheard'; reason: UnheardReason }
  /** Not heard of for long enough, but nothing proves that its containers have stopped. */
  | { is: 'Waiting'; reason: WaitReason; message: string }
  /** To be revoked, for `Fencing` once the device has confirmed. `by` is what the lease is to say. */
  | { is: 'Fenceable'; proof: ProofKind; by: string }
  /** Revoked, and its containers may go elsewhere. */
  | { is: 'Fenced'; by: string }
  /** Without a term, and asks for one: it is new, or back. */
  | { is: 'Joining' };

export interface StandingFacts {
  /** undefined: there is no such Node. */
  node: Node | undefined;
  lease: LeaseRecord | undefined;
  /** The last version of a lease that was deleted, if this leader has seen all versions up to that. */
  deleted?: LeaseRecord | undefined;
  verdict: NodeVerdict;
  sight: LeaseSight | undefined;
  members: MemberList | undefined;
  nowMs: number;
  /** When this leader began to look. */
  sinceMs: number;
}

/** On top of the lease's duration: a renewal that is late on its way does not make a node unknown. */
export const LEASE_MARGIN_MS = 1_000;

export function standingOf(facts: StandingFacts): Standing {
  const { lease, verdict, sight, nowMs } = facts;
  const isUnheard = nowMs >= unheardAtMs(facts);
  if (lease === undefined || sight === undefined) return withoutLease(facts);
  if (lease.holder === '') {
    return lease.rejoinAsked || lease.revokedBy === undefined
      ? { is: 'Joining' }
      : { is: 'Fenced', by: lease.revokedBy };
  }
  const operator = operatorOf(facts.node);
  if (operator !== undefined && verdict.state !== 'Live') {
    return { is: 'Fenceable', proof: 'Operator', by: `Operator: ${operator}` };
  }
  switch (verdict.state) {
    case 'Braked':
      return braked(facts);
    case 'Revocable':
      return provenByTime(facts, lease);
    default:
      if (isUnheard) return { is: 'Unheard', reason: 'LeaseExpired' };
      return { is: sight.heard ? 'Live' : 'Unproven' };
  }
}

/**
 * Nobody can renew a lease that is not there, and an agent that is alive makes a new one at once, which asks to be let in. So
 * what is known of the last version holds as it does for one that is not renewed; only the waiting begins with its deletion.
 */
function withoutLease(facts: StandingFacts): Standing {
  const { deleted, verdict, node, nowMs, sinceMs } = facts;
  if (nowMs < sinceMs || nowMs < unheardAtMs(facts)) return { is: 'Unproven' };
  const operator = operatorOf(node);
  if (operator !== undefined) return { is: 'Fenceable', proof: 'Operator', by: `Operator: ${operator}` };
  if (deleted === undefined) return { is: 'Unheard', reason: 'NoLease' };
  if (deleted.holder === '') {
    const by = deleted.revokedBy;
    return by === undefined
      ? { is: 'Unheard', reason: 'NoLease' }
      : { is: 'Fenceable', proof: 'LeaseExpired', by };
  }
  if (verdict.state === 'Braked') return braked(facts);
  return verdict.state === 'Revocable'
    ? provenByTime(facts, deleted)
    : { is: 'Unheard', reason: 'LeaseDeleted' };
}

/** Monotonic milliseconds at which the node counts as not heard of, unless its lease changes before. */
export function unheardAtMs({ lease, deleted, sight, sinceMs }: StandingFacts): number {
  const durationMs = (lease ?? deleted)?.timing.durationMs ?? defaultTiming.durationMs;
  return Math.max(sight?.sawMs ?? sinceMs, sinceMs) + durationMs + LEASE_MARGIN_MS;
}

/** The operator who says that the host is off. */
export function operatorOf(node: Node | undefined): string | undefined {
  const by = node?.metadata.annotations?.[FENCED_BY_ANNOTATION];
  return by === undefined || by === '' ? undefined : by;
}

function provenByTime(facts: StandingFacts, lease: LeaseRecord): Standing {
  const { node, members } = facts;
  const doubt = doubtOf(lease, members);
  if (doubt === undefined) return { is: 'Fenceable', proof: 'LeaseExpired', by: 'LeaseExpired' };
  return byDevice(node) ?? waiting('WaitingForFence', `Its containers may still run: ${doubt}`, node);
}

/** @returns why silence alone does not prove that the containers have stopped */
function doubtOf(lease: LeaseRecord, members: MemberList | undefined): string | undefined {
  if (!lease.isGuarded) return 'no guard watched over them when it was last heard of';
  if (lease.timingFault !== undefined) return lease.timingFault;
  if (members === undefined || !mayCountTogether(members.version, lease.uses)) {
    return 'its list of members is not the present one';
  }
  return undefined;
}

function braked(facts: StandingFacts): Standing {
  const { members, node } = facts;
  const count = members?.members.length ?? 0;
  if (count > 2) {
    const message = `Fewer than half of the ${count} nodes renewed their leases all the time; nothing is placed elsewhere until they do`;
    return waiting('StormBrake', message, node);
  }
  const message = `With ${count === 1 ? 'one node' : `${count} nodes`} there is no majority left that could fence the other one`;
  return byDevice(node) ?? waiting('TooFewNodes', message, node);
}

function byDevice(node: Node | undefined): Standing | undefined {
  const fencing = node?.spec.fencing;
  if (fencing === undefined) return undefined;
  return {
    is: 'Fenceable',
    proof: 'Fencing',
    by: fencing.exec === undefined ? 'Fencing: redfish' : 'Fencing: exec',
  };
}

function waiting(reason: WaitReason, what: string, node: Node | undefined): Standing {
  const hint =
    node === undefined
      ? ''
      : `. If the host is off for certain: kubectl annotate nodes.hostler.dev ${node.metadata.name} hostler.dev/fenced-by=<who>`;
  return { is: 'Waiting', reason, message: `${what}${hint}` };
}
