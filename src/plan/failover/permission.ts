/** May this container run on this node, now? Asked by agent and guard immediately before each start, and all the time. */

export interface Placed {
  nodeName: string;
  /** Ties the placement to one term of the node's lease. */
  term: number;
}

/** The node as the one that asks knows it. */
export interface Holder {
  node: string;
  term: number;
  /** See node-lease.ts; own monotonic clock. */
  deadlineMs: number;
}

/** For containers with `failover: Recover` or `Recreate`; the others need only to be placed here. */
export function mayRun(placed: Placed, holder: Holder, nowMs: number): boolean {
  return placed.nodeName === holder.node && placed.term === holder.term && nowMs < holder.deadlineMs;
}
