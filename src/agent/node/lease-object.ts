import { NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import {
  GUARD_ANNOTATION,
  GUARD_ARMED,
  type Lease,
  leaseRef,
  MEMBERS_ANNOTATION,
  REJOIN_ANNOTATION,
  SINCE_REPLY_ANNOTATION,
  TIMING_ANNOTATION,
} from '../../crds/lease.ts';
import { apiVersionOf } from '../../crds/object.ts';
import { leaseRecord } from '../../plan/failover/lease-record.ts';
import type { LeaseRead } from '../../plan/failover/node-lease.ts';
import type { FailoverTiming } from '../../plan/failover/timing.ts';

/** The Lease object, as the node's side of the protocol reads and writes it. */
export interface Renewal {
  nodeName: string;
  term: number;
  resourceVersion: string;
  sinceReplyMs: number;
  timing: FailoverTiming;
  /** RFC 3339 with microseconds; another one for each renewal. */
  renewTime: string;
  isGuardArmed: boolean;
  /** Version of the member list in use; undefined: none. */
  membersVersion: number | undefined;
}

/** @param lease undefined: a read has shown that there is none */
export function readingOf(lease: Lease | undefined): LeaseRead {
  const { spec, metadata } = lease ?? {};
  return {
    holder: spec?.holderIdentity ?? '',
    term: spec?.leaseTransitions ?? 0,
    resourceVersion: metadata?.resourceVersion ?? '',
    rejoinAsked: metadata?.annotations?.[REJOIN_ANNOTATION] !== undefined,
  };
}

/** The timing by which a leader goes that sees this version; undefined: nothing there is fenced by time. */
export function statedBy(lease: Lease | undefined): FailoverTiming | undefined {
  if (lease === undefined) return undefined;
  const { timing, timingFault } = leaseRecord(lease);
  return timingFault === undefined ? timing : undefined;
}

/** `lease` after a renewal. What others wrote on it stays. */
export function renewed(lease: Lease, renewal: Renewal): Lease {
  const { [REJOIN_ANNOTATION]: _rejoin, ...kept } = lease.metadata.annotations ?? {};
  const annotations: Record<string, string> = {
    ...kept,
    [SINCE_REPLY_ANNOTATION]: String(Math.max(0, Math.floor(renewal.sinceReplyMs))),
    [TIMING_ANNOTATION]: JSON.stringify(renewal.timing),
    [GUARD_ANNOTATION]: renewal.isGuardArmed ? GUARD_ARMED : 'absent',
  };
  delete annotations[MEMBERS_ANNOTATION];
  if (renewal.membersVersion !== undefined) annotations[MEMBERS_ANNOTATION] = String(renewal.membersVersion);
  return {
    ...lease,
    metadata: { ...lease.metadata, resourceVersion: renewal.resourceVersion, annotations },
    spec: {
      acquireTime: renewal.renewTime,
      ...lease.spec,
      holderIdentity: renewal.nodeName,
      leaseTransitions: renewal.term,
      leaseDurationSeconds: Math.ceil(renewal.timing.durationMs / 1_000),
      renewTime: renewal.renewTime,
    },
  };
}

/** The lease with the node's wish to be let in; a new one, which nobody holds, where there is none. */
export function rejoining(lease: Lease | undefined, nodeName: string, timing: FailoverTiming): Lease {
  const asked = { [REJOIN_ANNOTATION]: 'true', [TIMING_ANNOTATION]: JSON.stringify(timing) };
  if (lease !== undefined) {
    return {
      ...lease,
      metadata: { ...lease.metadata, annotations: { ...lease.metadata.annotations, ...asked } },
    };
  }
  return {
    apiVersion: apiVersionOf(leaseRef),
    kind: leaseRef.kind,
    metadata: { name: nodeName, namespace: NODE_LEASE_NAMESPACE, annotations: asked },
    spec: {
      holderIdentity: '',
      leaseTransitions: 0,
      leaseDurationSeconds: Math.ceil(timing.durationMs / 1_000),
    },
  };
}

/**
 * `metav1.MicroTime` wants exactly six digits. The last three count, so that two renewals never have the same time,
 * whatever becomes of the clock.
 */
export function microTime(nowMs: number, count: number): string {
  return new Date(nowMs).toISOString().replace('Z', `${String(count % 1_000).padStart(3, '0')}Z`);
}
