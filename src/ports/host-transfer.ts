import type { InstanceSpec } from './host-driver.ts';

/**
 * How an instance gets from one host to another: the second half of HostDriver. The source offers, the target pulls, and
 * what arrives there is an *incoming copy*: marked with the migration that it belongs to, never started, updated or deleted as
 * an instance of its own (`Conflict`) until it is accepted. Which of the two may run is not decided here. Everything may be
 * repeated after a lost reply. What a pass moved is safe with the next one: each brings the copy to what the source has then.
 */
export interface InstanceTransfers {
  /** What this host can do, and how others reach its daemon. @throws Unavailable when the daemon does not answer */
  getTransferFacts(signal: AbortSignal): Promise<TransferFacts>;

  /**
   * Source: lets one target read the instance once, within OFFER_TIMEOUT_MS from now; ends all earlier offers of it. Not live: the instance goes on while it is read, so that only a pass after its stop is consistent. Live:
   * it is frozen while its memory is read, and stopped here when it runs there; when that fails it runs on.
   * @param options isToGoLive: of one that is not live, whether a live one is to come after it; the offer then says what is in its way
   * @throws NotFound; Forbidden when it is not this Container's; Conflict when it is an incoming copy itself, does not run
   * (live), or was started without what a live move needs (live); Invalid when the host, its pool or its devices do not allow a live move,
   * or the daemon does not listen
   */
  offerTransfer(
    instance: { name: string; uid: string },
    options: { live: boolean; isToGoLive?: boolean },
    signal: AbortSignal,
  ): Promise<TransferOffer>;

  /**
   * Source: waits for the end of an offer that the target has taken up; of a live one, until the instance is stopped here.
   * @returns how it ended; `Unknown` when the daemon has forgotten it: it ended long ago, or with the daemon's restart
   */
  awaitTransfer(operation: string, signal: AbortSignal): Promise<TransferEnd>;

  /** Source: withdraws an offer, or ends the reading of it. Succeeds when it has ended already. */
  cancelTransfer(operation: string, signal: AbortSignal): Promise<void>;

  /**
   * Target: one pass of an offer. The first one makes the incoming copy, each further one brings it up to date. Live: the
   * instance runs here when it resolves, still marked as incoming. A pass that fails or is aborted leaves a copy to be brought
   * up to date by another, or to be dropped; never a running one. Rejects soon after `signal` is aborted, and when nothing
   * moves for PULL_STALL_MS; has no other deadline.
   * @param onProgress called at most a few times a second, and with the last figures before it resolves
   * @throws AlreadyExists when another instance has the name; Invalid when this host lacks what the spec names (pool, network);
   * NotFound when the offer is gone; Unavailable when the source cannot be reached or goes away; Timeout, Aborted
   */
  pullTransfer(
    request: PullRequest,
    onProgress: (progress: TransferProgress) => void,
    signal: AbortSignal,
  ): Promise<TransferResult>;

  /**
   * Target: the incoming copy becomes an instance as any other, with `spec`'s settings and marks; stopped, or running after
   * a live pass. Succeeds when it was accepted already. @throws NotFound; Forbidden when it is another Container's; Conflict when it
   * is the copy of another migration, or no pass of it was completed
   */
  acceptTransfer(spec: InstanceSpec, migration: string, signal: AbortSignal): Promise<void>;

  /**
   * Target: deletes the incoming copy. Succeeds when it is gone. @throws Conflict when it runs, was accepted, or belongs to
   * another migration; with `details.isDead` when it does not run and never will, but the daemon does not give it up before its own
   * restart
   */
  dropTransfer(name: string, migration: string, signal: AbortSignal): Promise<void>;
}

/** How long an offer waits for its target: the daemon's own limit. */
export const OFFER_TIMEOUT_MS = 30_000;
/** How long a pass may go without a byte. */
export const PULL_STALL_MS = 120_000;

export interface TransferFacts {
  /** `https://10.0.0.7:8443`, where the daemons of other hosts reach this one; absent: nowhere, so nothing moves off it. */
  address?: string;
  /** The daemon's own certificate (PEM), the only one that the other side accepts from it. */
  certificate: string;
  live: LiveFact;
}

/** Whether containers can move while they run, off and onto this host. */
export type LiveFact =
  | { possible: true; message: string }
  /** `reason`: CamelCase, for programs; `message`: what is missing, and how to come by it. */
  | { possible: false; reason: string; message: string };

/** Storage drivers on which a live move was shown to keep all data, on either side. */
export const LIVE_STORAGE_DRIVERS: readonly string[] = ['dir', 'btrfs'];

/** Why a live offer of an instance would be refused, however capable the host. */
export interface LiveObstacle {
  /** CamelCase, for programs. */
  reason: string;
  message: string;
}

/** All of it but `liveObstacle` is for the target alone: who has it can read the instance's files. */
export interface TransferOffer {
  /** At the source's daemon: `/1.0/operations/…` */
  operation: string;
  secrets: Readonly<Record<string, string>>;
  /** As the daemon names it: x86_64 */
  architecture: string;
  /** Settings that the source's daemon gave the instance and that it keeps: hardware addresses, its image. */
  carried: Readonly<Record<string, string>>;
  /** What the root holds, where the daemon knows. */
  totalBytes?: number;
  /** What was asked for with `isToGoLive`. */
  liveObstacle?: LiveObstacle;
}

export interface PullRequest {
  /** As it shall be here: name, pool, networks, marks. */
  spec: InstanceSpec;
  /** uid of the Migration. */
  migration: string;
  /** The source's `TransferFacts`. */
  from: { address: string; certificate: string };
  offer: TransferOffer;
  /** As it was offered. */
  live: boolean;
  /** Absent: as fast as it goes. */
  bandwidthBytesPerSecond?: number;
}

export interface TransferProgress {
  /** On the wire, in this pass, both ways. */
  bytes: number;
  /** Over the last seconds. */
  bytesPerSecond: number;
}

export interface TransferResult {
  bytes: number;
  tookMs: number;
}

export type TransferEnd = { kind: 'Succeeded' | 'Unknown' } | { kind: 'Failed'; message: string };
