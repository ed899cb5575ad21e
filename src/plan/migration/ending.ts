import { type ConditionUpdate, setCondition } from '../../crds/conditions.ts';
import { parseDurationMs } from '../../crds/duration.ts';
import { DEFAULT_MIGRATION_DEADLINE, type MigrationStatus } from '../../crds/migration.ts';
import { claimOf } from './claim.ts';
import type { MigrationFacts, MigrationStep } from './facts.ts';

export type EndPhase = 'Succeeded' | 'Failed' | 'Cancelled';

/** Whether it has ended; what it left behind may have to be settled still. */
export function isOver({ phase }: Pick<MigrationStatus, 'phase'>): boolean {
  return phase === 'Succeeded' || phase === 'Failed' || phase === 'Cancelled';
}

/** The end comes first, and then what it leaves behind is settled: so nobody begins anything meanwhile. */
export function ended(
  facts: Pick<MigrationFacts, 'migration' | 'now'>,
  phase: EndPhase,
  { reason, message }: { reason: string; message: string },
): MigrationStep {
  const status = phase === 'Succeeded' ? 'True' : 'False';
  const end: ConditionUpdate = { type: 'Succeeded', status, reason, message };
  const stalled: ConditionUpdate = { type: 'Stalled', status: 'True', reason, message };
  const next = says(facts, end, ...(phase === 'Failed' ? [stalled] : []));
  const conditions = next.conditions?.filter(({ type }) => type !== 'Reconciling') ?? [];
  return { do: 'status', status: { ...next, phase, completedAt: facts.now.iso, conditions } };
}

/** The status with these conditions in it. */
export function says(
  { migration, now }: Pick<MigrationFacts, 'migration' | 'now'>,
  ...updates: readonly ConditionUpdate[]
): MigrationStatus {
  const { generation } = migration.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const conditions = updates.reduce(
    (all, update) => setCondition(all, { ...update, ...observed }, now.iso),
    migration.status?.conditions ?? [],
  );
  return { ...migration.status, ...observed, conditions };
}

/** The status on the way, with what goes on: for people, and as kstatus knows it. */
export function goesOn(
  facts: Pick<MigrationFacts, 'migration' | 'now'>,
  phase: NonNullable<MigrationStatus['phase']>,
  message: string,
): MigrationStatus {
  const outcome: ConditionUpdate = { type: 'Succeeded', status: 'Unknown', reason: phase, message };
  const atWork: ConditionUpdate = { type: 'Reconciling', status: 'True', reason: phase, message };
  return { ...says(facts, outcome, atWork), phase };
}

/** Milliseconds until the deadline; negative past it. */
export function untilDeadlineMs({
  migration,
  now,
  begunMs,
}: Pick<MigrationFacts, 'migration' | 'now' | 'begunMs'>): number {
  const limit = migration.spec.deadline ?? DEFAULT_MIGRATION_DEADLINE;
  return begunMs + (parseDurationMs(limit) ?? Number.POSITIVE_INFINITY) - now.ms;
}

export function isLate(facts: MigrationFacts): boolean {
  return untilDeadlineMs(facts) <= 0;
}

/** Why it ends then, how far it had come, and where the container is to be looked for. */
export function lateness({ migration, container }: Pick<MigrationFacts, 'migration' | 'container'>): {
  reason: string;
  message: string;
} {
  const { deadline = DEFAULT_MIGRATION_DEADLINE } = migration.spec;
  const { phase = 'Pending' } = migration.status ?? {};
  const { stage, target } = claimOf(migration, container) ?? {};
  const where = {
    Live: `; the live pass is not cut short: what comes of it decides whether the container is on ${target}`,
    Switched: `; the container is placed on ${target} all the same`,
  };
  const more = stage === 'Live' || stage === 'Switched' ? where[stage] : '';
  const message = `spec.deadline, ${deadline} from its creation, has passed in phase ${phase}${more}`;
  return { reason: 'DeadlineExceeded', message };
}
