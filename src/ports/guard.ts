/**
 * The guard of a host, as its agent speaks to it: a process of its own that stops the failover-eligible containers when
 * the permission to run them ends, whatever has become of the agent and the daemon by then. All times are readings of
 * the host's monotonic clock, which agent and guard share (ports/clock), or of its wall clock where the name says so.
 */
export interface Guard {
  /**
   * Connects, and starts the guard if there is none. To be called again after it was lost.
   * @returns what it holds, from an agent before this one perhaps
   * @throws Unavailable, Timeout
   */
  connect(signal: AbortSignal): Promise<GuardReport>;

  /** Tells it what holds from now on. Resolves once it does. @throws Unavailable, Timeout: nothing is known */
  order(order: GuardOrder, signal: AbortSignal): Promise<void>;

  /** To be asked immediately before each start of an eligible container. @throws Unavailable, Timeout: not permitted */
  mayStart(container: GuardedContainer, signal: AbortSignal): Promise<boolean>;

  /** `run` is called once for each connection that is lost, at once. */
  onLost(run: () => void): void;

  close(): void;
}

/** A container that only runs while its node is permitted to: it may be recovered elsewhere. */
export interface GuardedContainer {
  /** Of the daemon. */
  instance: string;
  /** Of the Container. */
  uid: string;
  /** `status.term` */
  term: number;
}

export interface GuardOrder {
  /** Absent: unchanged. */
  lease?: GuardLease;
  /** All of them; absent: unchanged. */
  containers?: readonly GuardedContainer[];
  /** The agent ends, and the leader knows that this node is not fenced by time: nothing is stopped until the next order. */
  released?: boolean;
}

export interface GuardLease {
  term: number;
  /** Nothing eligible runs at or after it; -Infinity: now. */
  deadlineMs: number;
  /** The same moment on the wall clock, which goes on while the host is suspended. */
  wallDeadlineMs: number;
  /** The leader has taken the lease. */
  revoked: boolean;
  /** What the agent goes by. The guard has fenceDelayMs for stopping, from the deadline on, and remembers the rest for the next agent. */
  timing: KeptTiming;
  /** Until when, on the host's monotonic clock, a leader may count this node as live. */
  liveUntilMs: number;
  /** Nothing is started with less than this left: a start takes its time, too. */
  startMarginMs: number;
}

/** As plan/failover/timing has it. */
export interface KeptTiming {
  renewMs: number;
  durationMs: number;
  fenceDelayMs: number;
  suspectAfterMs: number;
  witnessMarginMs: number;
}

export interface GuardReport {
  /** What the agent that armed it went by; absent: nobody has. */
  timing?: KeptTiming;
  liveUntilMs: number;
  term: number;
  /** -Infinity: expired, or never armed. */
  deadlineMs: number;
  released: boolean;
  containers: readonly GuardedContainer[];
}
