import {
  GUARD_ANNOTATION,
  GUARD_ARMED,
  type Lease,
  LOSSES_ANNOTATION,
  MEMBERS_ANNOTATION,
  REJOIN_ANNOTATION,
  REVOKED_BY_ANNOTATION,
  SINCE_REPLY_ANNOTATION,
  TIMING_ANNOTATION,
} from '../../crds/lease.ts';
import { afterLoss } from './flapping.ts';
import type { LeaseFacts } from './recovery.ts';
import type { LeaseSeen } from './takeover.ts';
import { defaultTiming, type FailoverTiming, timingFaults } from './timing.ts';

/** The Lease object of a node, as the leader's state machines want it, and as the leader writes it. */
export interface LeaseRecord extends LeaseFacts, LeaseSeen {
  resourceVersion: string;
  timing: FailoverTiming;
  /** Why the node's timing cannot be relied on; undefined when it can. */
  timingFault: string | undefined;
  /** Whether the sender's guard had answered by the time of this very renewal. */
  isGuarded: boolean;
  /** Version of the member list that the node uses; undefined: none. */
  uses: number | undefined;
  /** What proved that the host had stopped, when the lease was revoked. */
  revokedBy: string | undefined;
  /** Wall-clock milliseconds at which it was revoked, oldest first. */
  losses: readonly number[];
}

export function leaseRecord({ metadata, spec = {} }: Lease): LeaseRecord {
  const annotations = metadata.annotations ?? {};
  const timing = parseTiming(annotations[TIMING_ANNOTATION], spec.leaseDurationSeconds);
  const uses = Number(annotations[MEMBERS_ANNOTATION] ?? Number.NaN);
  const sinceReplyMs = Number(annotations[SINCE_REPLY_ANNOTATION] ?? 0);
  return {
    node: metadata.name,
    resourceVersion: metadata.resourceVersion ?? '',
    revision: Number(metadata.resourceVersion),
    holder: spec.holderIdentity ?? '',
    term: spec.leaseTransitions ?? 0,
    renewal: spec.renewTime ?? '',
    sinceReplyMs: sinceReplyMs >= 0 ? sinceReplyMs : 0,
    rejoinAsked: annotations[REJOIN_ANNOTATION] !== undefined,
    ...timing,
    isGuarded: annotations[GUARD_ANNOTATION] === GUARD_ARMED,
    uses: Number.isSafeInteger(uses) ? uses : undefined,
    revokedBy: annotations[REVOKED_BY_ANNOTATION],
    losses: parseTimes(annotations[LOSSES_ANNOTATION]),
  };
}

/** The lease taken away. @param by what proves that the host has stopped @param nowMs wall clock */
export function revokedLease(lease: Lease, by: string, nowMs: number): Lease {
  const { [REJOIN_ANNOTATION]: _, ...annotations } = lease.metadata.annotations ?? {};
  const losses = afterLoss(leaseRecord(lease).losses, nowMs);
  return {
    ...lease,
    metadata: {
      ...lease.metadata,
      annotations: {
        ...annotations,
        [REVOKED_BY_ANNOTATION]: by,
        [LOSSES_ANNOTATION]: JSON.stringify(losses),
      },
    },
    spec: { ...lease.spec, holderIdentity: '' },
  };
}

/** The lease let out to its node again, under `term`. */
export function grantedLease(lease: Lease, term: number): Lease {
  const {
    [REJOIN_ANNOTATION]: _,
    [REVOKED_BY_ANNOTATION]: __,
    ...annotations
  } = lease.metadata.annotations ?? {};
  return {
    ...lease,
    metadata: { ...lease.metadata, annotations },
    spec: { ...lease.spec, holderIdentity: lease.metadata.name, leaseTransitions: term },
  };
}

function parseTiming(
  text: string | undefined,
  leaseDurationSeconds: number | undefined,
): Pick<LeaseRecord, 'timing' | 'timingFault'> {
  const durationMs = Math.max(defaultTiming.durationMs, (leaseDurationSeconds ?? 0) * 1_000);
  const guess = { ...defaultTiming, durationMs };
  if (text === undefined)
    return { timing: guess, timingFault: 'its agent does not say how long its lease lasts' };
  const said = parsed(text) as Partial<FailoverTiming> | undefined;
  const timing = Object.fromEntries(
    Object.keys(defaultTiming).map((name) => [name, said?.[name as keyof FailoverTiming]]),
  ) as unknown as FailoverTiming;
  const isWhole = Object.values(timing).every((value) => typeof value === 'number');
  const faults = isWhole ? timingFaults(timing) : ['it is incomplete'];
  if (faults.length === 0) return { timing, timingFault: undefined };
  return {
    timing: guess,
    timingFault: `the timing that its agent states cannot be relied on: ${faults.join('; ')}`,
  };
}

function parseTimes(text: string | undefined): number[] {
  const times = text === undefined ? [] : parsed(text);
  return Array.isArray(times) ? times.filter((time) => Number.isFinite(time)) : [];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
