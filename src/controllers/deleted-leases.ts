import type { Lease } from '../crds/lease.ts';
import { type LeaseRecord, leaseRecord } from '../plan/failover/lease-record.ts';

/**
 * What the leader knew of leases that somebody deleted. Only the very last version says what holds of a node (whether its
 * guard was armed): where one may have gone unseen, nothing is known but that older reads are out of date.
 */
export interface DeletedLeases {
  /** @param isDoubtful whether there may have been a version after `last` */
  note(name: string, last: Lease | undefined, isDoubtful: boolean): void;
  /** There is a new one. */
  forget(name: string): void;
  /** Whether a version is of a lease that was made after the deletion, if there was one. */
  isNew(name: string, revision: number): boolean;
  lease(name: string): Lease | undefined;
  record(name: string): LeaseRecord | undefined;
}

interface Deleted {
  revision: number;
  lease: Lease | undefined;
  record: LeaseRecord | undefined;
}

export function createDeletedLeases(): DeletedLeases {
  const all = new Map<string, Deleted>();
  return {
    note(name, last, isDoubtful) {
      if (last === undefined) return;
      const record = leaseRecord(last);
      const { revision } = record;
      const known = isDoubtful ? { lease: undefined, record: undefined } : { lease: last, record };
      all.set(name, { revision, ...known });
    },
    forget: (name) => void all.delete(name),
    isNew: (name, revision) => revision > (all.get(name)?.revision ?? Number.NEGATIVE_INFINITY),
    lease: (name) => all.get(name)?.lease,
    record: (name) => all.get(name)?.record,
  };
}
