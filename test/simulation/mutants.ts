import type { Patch } from './program.ts';

/**
 * One rule of the protocol, or of what the protocol relies on, switched off: what each is there for is shown by the schedules that
 * find it missing. `family`: which kind of schedules looks for it (draw.ts); absent: all do.
 */
export interface Mutant {
  name: string;
  /** The letter of the rule in docs/design/0003-fencing.md, where it has one. */
  rule: string;
  family?: number;
  patches: readonly Patch[];
  /** What the judge must say of it. */
  says: RegExp;
}

const DOUBLE = /while it runs on/;
const plan = (file: string, from: string, to: string): Patch => ({
  file: `src/plan/failover/${file}`,
  from,
  to,
});
const agent = (from: string, to: string): Patch => ({ file: 'test/simulation/node-actor.ts', from, to });
const leader = (from: string, to: string): Patch => ({ file: 'test/simulation/leader-actor.ts', from, to });

export const mutants: readonly Mutant[] = [
  {
    name: 'a start after the deadline',
    rule: 'A',
    patches: [plan('permission.ts', ' && nowMs < holder.deadlineMs', '')],
    says: DOUBLE,
  },
  {
    name: 'a start under an old term',
    rule: 'F',
    patches: [
      plan('permission.ts', ' && placed.term === holder.term', ''),
      { file: 'src/guard/keeper.ts', from: ' || known.term !== term', to: '' },
    ],
    says: DOUBLE,
  },
  {
    // The agent sees that its deadline lies further ahead than what it states gives, and says that nothing guards it: not so here.
    name: 'a deadline that is 1.5 s too late',
    rule: 'A',
    patches: [
      plan(
        'node-lease.ts',
        'state.lastSentMs + timing.durationMs',
        'state.lastSentMs + timing.durationMs + 1_500',
      ),
      {
        file: 'test/simulation/node-timing.ts',
        from: 'isGuarded: isKeptBy(holds, timing, nowMs)',
        to: 'isGuarded: true',
      },
    ],
    says: DOUBLE,
  },
  {
    name: 'a guard that is frozen together with its agent',
    rule: 'A',
    patches: [
      {
        file: 'test/simulation/host.ts',
        from: 'const due = keeper.due();',
        to: 'const due = me.paused > 0 ? undefined : keeper.due();',
      },
    ],
    says: DOUBLE,
  },
  {
    name: 'a leader that does not wait for fenceDelay',
    rule: 'B',
    patches: [
      plan('takeover.ts', 'const graceMs = durationMs + fenceDelayMs;', 'const graceMs = durationMs;'),
    ],
    says: DOUBLE,
  },
  {
    name: 'a revocation of whatever version the lease has come to',
    rule: 'B',
    patches: [
      leader(
        '() => store.writeLease(node, fresh.revision, change),\n        (written) => {\n          if',
        '() => store.writeLease(node, store.lease(node).revision, change),\n        (written) => {\n          if',
      ),
      leader('if (!isAsRead || now.is', 'if (now.is'),
      leader('            onLease(fresh);\n            then', '            then'),
    ],
    says: DOUBLE,
  },
  {
    name: 'an agent that goes on renewing while the outcome of a renewal is unknown',
    rule: 'B',
    family: 0,
    patches: [
      plan('node-lease.ts', "busy: false, mode: 'Doubtful', nextMs", "busy: false, mode: 'Held', nextMs"),
    ],
    says: /an outage alone stopped/,
  },
  {
    name: 'peers that revive a deadline that has passed',
    rule: 'A',
    patches: [
      plan('witness.ts', ' || asked.nowMs >= deadline', ''),
      plan('witness.ts', ' && nowMs < deadline', ''),
    ],
    says: DOUBLE,
  },
  {
    name: 'peers that are believed although fewer than half are cut off',
    rule: 'C',
    patches: [
      plan(
        'witness.ts',
        'if (cutOff.size * 2 <= asked.members.length) return state;',
        'if (cutOff.size < 2) return state;',
      ),
    ],
    says: DOUBLE,
  },
  {
    name: 'a peer that says that it is cut off too soon',
    rule: 'C',
    patches: [plan('witness.ts', 'return nowMs - state.liveUntilMs;', 'return nowMs - state.lastSentMs;')],
    says: DOUBLE,
  },
  {
    name: 'a leader without the brake',
    rule: 'C',
    patches: [
      plan(
        'takeover.ts',
        "if (this.#heldSinceMs === undefined || nowMs < this.#heldSinceMs + graceMs) return { state: 'Braked' };",
        '',
      ),
    ],
    says: DOUBLE,
  },
  {
    name: 'a brake that looks at this moment only',
    rule: 'C',
    patches: [plan('takeover.ts', ' || nowMs < this.#heldSinceMs + graceMs', '')],
    says: DOUBLE,
  },
  {
    name: 'a leader that takes the arrival of a renewal for its sending',
    rule: 'D',
    family: 7,
    patches: [plan('takeover.ts', 'sentMs: sentNoEarlierThan(before, lease),', 'sentMs: nowMs,')],
    says: DOUBLE,
  },
  {
    name: 'a new leader that believes what it finds',
    rule: 'B',
    patches: [plan('takeover.ts', 'Math.max(node.sawMs, this.#firstLookMs) + graceMs', 'node.sawMs + 1_000')],
    says: DOUBLE,
  },
  {
    name: 'answers that count for the moment at which each was given',
    rule: 'E',
    family: 8,
    patches: [
      plan(
        'witness.ts',
        'const atQuestion = cutOffForMs - (receivedMs - asked.askedMs);',
        'const atQuestion = receivedMs > 0 ? cutOffForMs : 0;',
      ),
    ],
    says: DOUBLE,
  },
  {
    name: 'a move of what was re-affirmed since',
    rule: 'F',
    family: 5,
    patches: [plan('recovery.ts', 'container.term > lease.term ? undefined : ', '')],
    says: DOUBLE,
  },
  {
    name: 'a term that is granted again',
    rule: 'G',
    patches: [
      plan(
        'recovery.ts',
        'Math.max(lease.term, ...containers.map((container) => container.term)) + 1',
        'lease.term',
      ),
    ],
    says: DOUBLE,
  },
  {
    name: 'a list of members that counts before the lease says so',
    rule: 'Members',
    family: 1,
    patches: [
      plan(
        'known-members.ts',
        'return list.version > saidVersion + 1 ? undefined : list.members;',
        'return list.members;',
      ),
    ],
    says: DOUBLE,
  },
  {
    name: 'a leader that does not look which list a node uses',
    rule: 'Members',
    family: 1,
    patches: [
      plan(
        'membership.ts',
        'return uses === undefined || uses === version || uses === version - 1;',
        'return true;',
      ),
    ],
    says: DOUBLE,
  },
  {
    name: 'a longer timing that counts at once',
    rule: 'I',
    family: 2,
    patches: [
      plan(
        'timing-change.ts',
        'const known = [wanted, stated, unsure].filter((timing) => timing !== undefined);',
        'const known = [wanted ?? stated ?? unsure].filter((timing) => timing !== undefined);',
      ),
    ],
    says: DOUBLE,
  },
  {
    name: 'a shorter timing that is stated at once',
    rule: 'I',
    family: 2,
    patches: [
      plan(
        'timing-change.ts',
        'return isLived && (at.guard === undefined || isKeptBy(at.guard, wanted, at.nowMs)) ? wanted : stated;',
        'return wanted;',
      ),
      {
        file: 'test/simulation/node-timing.ts',
        from: 'isGuarded: isKeptBy(holds, timing, nowMs)',
        to: 'isGuarded: true',
      },
    ],
    says: DOUBLE,
  },
  {
    name: 'a host that wakes and counts on its monotonic clock alone',
    rule: 'Two clocks',
    family: 3,
    patches: [
      plan(
        'two-clocks.ts',
        'Math.min(end.monotonicMs - now.monotonicMs, end.wallMs - now.wallMs)',
        'end.monotonicMs - now.monotonicMs',
      ),
    ],
    says: DOUBLE,
  },
  {
    name: 'a guard that does not look at the wall clock',
    rule: 'Two clocks',
    patches: [
      {
        file: 'src/guard/keeper.ts',
        from: 'Math.min(held.guard.deadlineMs - clock.monotonicMs(), held.wallDeadlineMs - clock.nowMs())',
        to: 'held.guard.deadlineMs - clock.monotonicMs()',
      },
    ],
    says: DOUBLE,
  },
  {
    name: 'silence that counts although no guard was armed',
    rule: 'Proof',
    patches: [
      plan(
        'standing.ts',
        "if (!lease.isGuarded) return 'no guard watched over them when it was last heard of';",
        '',
      ),
    ],
    says: DOUBLE,
  },
  {
    name: "an operator's word that outlives the return of the host",
    rule: 'Proof',
    family: 4,
    patches: [agent('else takeBackWord(write, failed(false));', 'else write();')],
    says: DOUBLE,
  },
  {
    name: 'a device that is believed without a look at the lease after it',
    rule: 'Proof',
    patches: [
      leader(
        'if (!isAsRead || now.is',
        "if (before.proof !== 'Fencing' && !isAsRead || before.proof !== 'Fencing' && now.is",
      ),
      leader(
        'now.proof !== before.proof',
        "before.proof !== 'Fencing' && now.is === 'Fenceable' && now.proof !== before.proof",
      ),
      leader('revokedBy: now.by };', 'revokedBy: before.by };'),
      leader('revokes the lease of ${node}: ${now.by}', 'revokes the lease of ${node}: ${before.by}'),
    ],
    says: DOUBLE,
  },
  {
    name: 'an agent that does not ask its peers',
    rule: 'Promise 3',
    family: 0,
    patches: [plan('witness.ts', "return state.mode === 'Doubtful' &&", 'return false &&')],
    says: /an outage alone stopped/,
  },
  {
    name: 'a leader that never lets a node back in',
    rule: 'Promise 2',
    patches: [
      plan('recovery.ts', 'if (moves.length > 0 || !lease.rejoinAsked) return moves;', 'return moves;'),
    ],
    says: /at the end/,
  },
];
