/**
 * The store that a leader election is held in (etcd: a lease and a key, src/etcd). The adapter only speaks to the
 * store; when to campaign, when to renew and, above all, when to *stop leading* is decided by src/reconcile's election
 * on its own monotonic clock, never by an event of this port.
 */
export interface LeaderLease {
  /**
   * Makes a lease of `ttlSeconds` and takes the leader key with it, if nobody holds it.
   * @returns the term when it was taken; the present holder when not
   */
  acquire(holder: string, ttlSeconds: number, signal: AbortSignal): Promise<LeaderAcquisition>;

  /** Extends the lease by its full TTL from the moment at which the store hears of it. @throws NotFound when it ran out */
  renew(term: LeaderTerm, signal: AbortSignal): Promise<void>;

  /** Gives the key and the lease up, so that the next replica leads at once. Idempotent. */
  release(term: LeaderTerm, signal: AbortSignal): Promise<void>;

  /**
   * Resolves when the leader key may be free: it was deleted, or its lease ran out. May resolve too early (the caller
   * tries to acquire, and waits again), never too late by more than the store's own delay.
   */
  waitUntilFree(signal: AbortSignal): Promise<void>;

  close(): Promise<void>;
}

/** One time in office. `createRevision` of the leader key identifies it and grows from term to term (a fencing token). */
export interface LeaderTerm {
  holder: string;
  leaseId: string;
  createRevision: number;
}

export type LeaderAcquisition = { acquired: true; term: LeaderTerm } | { acquired: false; holder: string };
