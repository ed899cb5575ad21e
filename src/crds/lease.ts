/**
 * The node lease: the one object that an agent and the leader both write. `holderIdentity` is the node's name, or empty while it
 * is revoked; `leaseTransitions` is the term; `renewTime` changes with each renewal by the node and with nothing else.
 */
import type { KubeObject, ResourceRef } from './object.ts';

/** `coordination.k8s.io/v1` Lease, as far as node leases use it. */
export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

export interface LeaseSpec {
  /** Who holds it; empty once it was revoked. */
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  /** RFC 3339 with microseconds; for people, never compared across hosts. */
  acquireTime?: string;
  renewTime?: string;
  /** The term: grows each time the lease is let out again. */
  leaseTransitions?: number;
}

export const leaseRef: ResourceRef = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  resource: 'leases',
  namespaced: true,
};

/** How long, in whole milliseconds on its own clock, the node had known the version before when it sent the renewal. */
export const SINCE_REPLY_ANNOTATION = 'hostler.dev/since-reply';
/** Set by a node that asks to be let in; removed by the grant. */
export const REJOIN_ANNOTATION = 'hostler.dev/rejoin';
/** The node's own FailoverTiming, as JSON. */
export const TIMING_ANNOTATION = 'hostler.dev/timing';
/** Version of the member list that the node uses; absent while it uses none. */
export const MEMBERS_ANNOTATION = 'hostler.dev/members';
/**
 * `armed` on a renewal whose sender's guard had answered by then; absent or anything else: what runs there may run on
 * after the deadline, so that silence proves nothing. A revocation by time is conditional on the very version of the lease
 * that says `armed`, which the condition GuardArmed on the Node cannot give.
 */
export const GUARD_ANNOTATION = 'hostler.dev/guard';
export const GUARD_ARMED = 'armed';
/** Written with a revocation: what proves that the host has stopped its containers. Removed by the grant. */
export const REVOKED_BY_ANNOTATION = 'hostler.dev/revoked-by';
/** When the lease was revoked, the last few times, as a JSON array of milliseconds since 1970; for damping only. */
export const LOSSES_ANNOTATION = 'hostler.dev/losses';

/** The ConfigMap in the namespace of the leases that says which nodes count: `data.version`, `data.members`. */
export const MEMBERS_CONFIG_MAP = 'hostler-members';

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

export const configMapRef: ResourceRef = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  resource: 'configmaps',
  namespaced: true,
};
