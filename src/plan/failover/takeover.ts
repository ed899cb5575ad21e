/**
 * The leader's side: which nodes are lost, and when their leases may be revoked. All times are the leader's own
 * monotonic clock. Nothing here is believed because a message arrived late or not at all: a lease that was not *seen* to
 * change for duration + fenceDelay is only a candidate, a fresh read confirms it, and a conditional write takes it.
 *
 * The storm brake wants to know how long ago each node *sent* its last renewal, at the most, and neither the arrival of the
 * event (the watch may lag) nor the commit (the request may have been on its way for long) tells. But a renewal is
 * conditional on the resourceVersion of the one before, and carries how long its sender had known that one; so it was
 * sent no earlier than the commit of the one before plus that time. And a version was committed no earlier than any
 * read that had returned an older revision of the store was sent. Both are certain, whatever is delayed or paused.
 */
import type { FailoverTiming } from './timing.ts';

/** A lease as the leader's watch shows it. */
export interface LeaseSeen {
  holder: string;
  term: number;
  /** The store's revision that wrote this version. */
  revision: number;
  /** How long the node had known the version before this one when it sent the renewal; 0 when unknown. */
  sinceReplyMs: number;
  /** Another value after each renewal by the node itself, and after nothing else (the Lease's renewTime). */
  renewal: string | number;
  /** The node's own timing, as its renewal said; absent: the leader's. */
  timing?: FailoverTiming;
  /** Why that cannot be relied on. Such a node counts towards no majority: who knows when it counts itself as cut off. */
  timingFault?: string | undefined;
}

interface NodeView extends LeaseSeen {
  /** When this version was first seen. */
  sawMs: number;
  /** The node's last renewal was sent at this moment or later. */
  sentMs: number;
  /** This version was committed at this moment or later. */
  committedMs: number;
  /** Whether this leader has seen the node renew. */
  heard: boolean;
}

/** What the leader knows of a node's lease besides the verdict. */
export interface LeaseSight {
  /** When its present version was first seen. */
  sawMs: number;
  /** Whether this leader has seen the node renew: a lease that was found says nothing about now. */
  heard: boolean;
  timing: FailoverTiming;
}

export type NodeVerdict =
  | { state: 'Live' }
  /** Silent for longer than suspectAfter. */
  | { state: 'Suspect' }
  /** Silent for long enough, but: the majority is silent too, or was within the time that counts. */
  | { state: 'Braked' }
  /** All conditions hold: read the lease; if its revision is `revision` still, and the verdict too, revoke it. */
  | { state: 'Revocable'; revision: number }
  | { state: 'Revoked'; term: number };

/** Probes older than this many say nothing that a newer one does not. */
const PROBES_KEPT = 64;
const NEVER = Number.NEGATIVE_INFINITY;

/** What one leader knows, from its first look on. */
export class LeaderView {
  readonly #firstLookMs: number;
  readonly #timing: FailoverTiming;
  readonly #nodes = new Map<string, NodeView>();
  readonly #probes: { sentMs: number; revision: number }[] = [];
  #members: readonly string[];
  /** The majority has been live without a gap since then, and will be until `#heldUntilMs` at the least. */
  #heldSinceMs: number | undefined;
  #heldUntilMs = NEVER;

  constructor(nowMs: number, members: readonly string[], timing: FailoverTiming) {
    this.#firstLookMs = nowMs;
    this.#members = members;
    this.#timing = timing;
  }

  /** A read of the store's present revision, sent at `sentMs`, has answered `revision`. */
  onProbe(sentMs: number, revision: number): void {
    this.#probes.push({ sentMs, revision });
    if (this.#probes.length > PROBES_KEPT) this.#probes.shift();
  }

  onLease(name: string, lease: LeaseSeen, nowMs: number): void {
    const before = this.#nodes.get(name);
    if (before !== undefined && lease.revision <= before.revision) return;
    this.#lapse(nowMs);
    const node: NodeView = {
      ...lease,
      sawMs: nowMs,
      sentMs: sentNoEarlierThan(before, lease),
      committedMs: this.#committedNoEarlierThan(lease.revision),
      heard: before !== undefined && (before.heard || before.renewal !== lease.renewal),
    };
    this.#nodes.set(name, node);
    // What moves the end of one member on can only move that of the majority on: it is looked at when its time has come (#lapse).
    if (this.#heldSinceMs === undefined || this.#countsUntilMs(node) < this.#countsUntilMs(before))
      this.#review(nowMs);
  }

  /** The lease is gone. No renewal of it can succeed any more, and the last one that did is as old as this at the least. */
  onDeleted(name: string, nowMs: number): void {
    const node = this.#nodes.get(name);
    if (node !== undefined) this.#nodes.set(name, { ...node, sawMs: nowMs });
  }

  /**
   * The nodes that count; others are watched, but are no part of the majority. The time for which the majority must have
   * held begins anew: what was believed before was counted by another list, which a node may be two changes ahead of.
   */
  setMembers(members: readonly string[], nowMs: number): void {
    this.#members = members;
    this.#heldSinceMs = undefined;
    this.#review(nowMs);
  }

  /** @returns undefined while no lease of that name was seen */
  sight(name: string): LeaseSight | undefined {
    const node = this.#nodes.get(name);
    if (node === undefined) return undefined;
    return { sawMs: node.sawMs, heard: node.heard, timing: node.timing ?? this.#timing };
  }

  /** Since when, without a gap, more than half of the members have been live; undefined while they are not. */
  majoritySinceMs(nowMs: number): number | undefined {
    this.#lapse(nowMs);
    return this.#heldSinceMs;
  }

  verdict(name: string, nowMs: number): NodeVerdict {
    this.#lapse(nowMs);
    const node = this.#nodes.get(name);
    if (node === undefined) return { state: 'Suspect' };
    const { suspectAfterMs, durationMs, fenceDelayMs } = node.timing ?? this.#timing;
    const graceMs = durationMs + fenceDelayMs;
    if (node.holder === '') return { state: 'Revoked', term: node.term };
    if (nowMs < node.sawMs + suspectAfterMs) return { state: 'Live' };
    if (nowMs < Math.max(node.sawMs, this.#firstLookMs) + graceMs) return { state: 'Suspect' };
    if (this.#heldSinceMs === undefined || nowMs < this.#heldSinceMs + graceMs) return { state: 'Braked' };
    return { state: 'Revocable', revision: node.revision };
  }

  /** `#heldUntilMs` may be sooner than it is by now, never later: so nothing is worked out before that. */
  #lapse(nowMs: number): void {
    if (this.#heldSinceMs === undefined || nowMs < this.#heldUntilMs) return;
    this.#heldUntilMs = this.#majorityUntilMs();
    if (nowMs >= this.#heldUntilMs) this.#heldSinceMs = undefined;
  }

  #review(nowMs: number): void {
    this.#heldUntilMs = this.#majorityUntilMs();
    if (nowMs >= this.#heldUntilMs) this.#heldSinceMs = undefined;
    else this.#heldSinceMs ??= nowMs;
  }

  /** When a member becomes suspect, by its own suspectAfter, as it counts itself; never: it is no part of any majority. */
  #countsUntilMs(node: NodeView | undefined): number {
    if (node === undefined || node.holder === '' || node.timingFault !== undefined) return NEVER;
    return node.sentMs + (node.timing ?? this.#timing).suspectAfterMs;
  }

  /** The majority holds until the middle one of its members, by the age of their renewals, becomes suspect. */
  #majorityUntilMs(): number {
    const untilMs: number[] = [];
    for (const name of this.#members) {
      const countsUntilMs = this.#countsUntilMs(this.#nodes.get(name));
      if (countsUntilMs !== NEVER) untilMs.push(countsUntilMs);
    }
    const needed = Math.floor(this.#members.length / 2) + 1;
    if (untilMs.length < needed) return NEVER;
    untilMs.sort((a, b) => b - a);
    return untilMs[needed - 1] as number;
  }

  #committedNoEarlierThan(revision: number): number {
    return this.#probes.findLast((probe) => probe.revision < revision)?.sentMs ?? NEVER;
  }
}

function sentNoEarlierThan(before: NodeView | undefined, lease: LeaseSeen): number {
  if (before === undefined) return NEVER;
  // A grant or a revocation says nothing about the node.
  if (lease.renewal === before.renewal) return before.sentMs;
  return Math.max(before.sentMs, before.committedMs + lease.sinceReplyMs);
}
