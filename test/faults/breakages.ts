/**
 * Ways to break the product on purpose, as patches of its sources that only a build for the harness gets: they show that the
 * validator finds what it is there for. A patch whose text is not in the sources any more fails the build.
 */
export interface Breakage {
  name: BreakageName;
  changes: readonly { file: string; from: string; to: string }[];
}

export const BREAKAGES = ['starts-unchecked', 'guard-freezes-with-agent', 'no-fence-delay'] as const;
export type BreakageName = (typeof BREAKAGES)[number];

const GUARD = 'src/guard/guard.ts';
const VARIABLES = '  let isExpired = false;\n';

const changes: Record<BreakageName, Breakage['changes']> = {
  /**
   * Nobody looks at the deadline before a start. The guard, which keeps down whatever comes up after the deadline, makes up for
   * that alone; so it stops what ran at the deadline, and does not look again.
   */
  'starts-unchecked': [
    {
      file: 'src/agent/guard/guarded.ts',
      from: '!isListed(container) || (await link.mayStart(entryOf(container), signal))',
      to: 'isListed(container) || (await link.mayStart(entryOf(container), signal)) || true',
    },
    { file: GUARD, from: VARIABLES, to: `${VARIABLES}  let expiredMs = 0;\n` },
    {
      file: GUARD,
      from: 'isExpired = due !== undefined;',
      to: 'isExpired = due !== undefined; expiredMs = clock.monotonicMs();',
    },
    {
      file: GUARD,
      from: 'isClean = due === undefined || due.containers.length === 0;',
      to: 'isClean = due === undefined || due.containers.length === 0 || clock.monotonicMs() - expiredMs > 1_500;',
    },
  ],
  /** The guard acts only while it hears from the agent: one that is stopped by SIGSTOP stops the guard too. */
  'guard-freezes-with-agent': [
    { file: GUARD, from: VARIABLES, to: `${VARIABLES}  let heardMs = clock.monotonicMs();\n` },
    {
      file: GUARD,
      from: 'const due = keeper.due();',
      to: 'const due = clock.monotonicMs() - heardMs < 2_000 ? keeper.due() : undefined;',
    },
    {
      file: GUARD,
      from: 'onOrder: () => memory.write(keeper.memory()),',
      to: 'onOrder: () => { heardMs = clock.monotonicMs(); memory.write(keeper.memory()); },',
    },
  ],
  /** The leader revokes as soon as the lease has run out, and leaves the guard no time. */
  'no-fence-delay': [
    {
      file: 'src/plan/failover/takeover.ts',
      from: 'const graceMs = durationMs + fenceDelayMs;',
      to: 'const graceMs = durationMs + 0 * fenceDelayMs;',
    },
  ],
};

export function breakageOf(name: BreakageName): Breakage {
  return { name, changes: changes[name] };
}
