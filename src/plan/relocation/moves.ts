import type { Container } from '../../crds/container.ts';
import type { MigrationStage } from '../../crds/container-migration.ts';
import type { Migration, MigrationPhase } from '../../crds/migration.ts';
import { keyOf } from '../../crds/object.ts';
import { isOver } from '../migration/ending.ts';

/** A container that moves, or whose Migration was made and has not begun. */
export interface ActiveMove {
  source: string;
  /** Undefined: not chosen yet. */
  target: string | undefined;
  /** @defaultValue Copying */
  part?: MovePart;
}

/**
 * How far it is, for the limits: its root is copied, or its memory; it is stopped for the last pass; or all is copied, and the
 * target may run it.
 */
export type MovePart = 'Copying' | 'Switching' | 'Arrived';

/** By the key of the container. */
export type ActiveMoves = ReadonlyMap<string, ActiveMove>;

/** A Migration that was asked for just now, and that the cache may not show yet. */
export interface AssumedMove extends ActiveMove {
  /** Of the container. */
  key: string;
}

export function isFinished({ status }: Pick<Migration, 'status'>): boolean {
  return isOver(status ?? {});
}

/**
 * @param stage of the claim, which goes as soon as the container runs on its target
 * @param phase of the Migration, whose last work is that the copy at the source goes
 */
export function partOf(stage: MigrationStage | undefined, phase?: MigrationPhase): MovePart {
  if (stage === 'Switched' || phase === 'Completing' || phase === 'Succeeded') return 'Arrived';
  return stage === 'Held' ? 'Switching' : 'Copying';
}

/** The key of the container that `migration` is about. */
export function containerKeyOf({ metadata, spec }: Pick<Migration, 'metadata' | 'spec'>): string {
  return `${metadata.namespace ?? ''}/${spec.container}`;
}

/** Every move that goes on, from all that tells of one: each container once. */
export function activeMoves(
  containers: Iterable<Container>,
  migrations: Iterable<Migration>,
  assumed: Iterable<AssumedMove>,
): Map<string, ActiveMove> {
  const moves = new Map<string, ActiveMove>();
  for (const { key, source, target } of assumed) moves.set(key, { source, target });
  const nodes = new Map<string, string>();
  const epochs = new Map<string, number>();
  for (const container of containers) {
    const { nodeName, migration, epoch = 0 } = container.status ?? {};
    epochs.set(keyOf(container), epoch);
    if (nodeName !== undefined) nodes.set(keyOf(container), nodeName);
    if (migration === undefined) continue;
    const { source, target, stage } = migration;
    moves.set(keyOf(container), { source, target, part: partOf(stage) });
  }
  for (const migration of migrations) {
    const key = containerKeyOf(migration);
    const source = migration.status?.source ?? nodes.get(key);
    // What was read of the container may be older than the end of its migration.
    const isBehind = (epochs.get(key) ?? Number.POSITIVE_INFINITY) < (migration.status?.epoch ?? 0);
    if ((isFinished(migration) && !isBehind) || moves.has(key) || source === undefined) continue;
    const target = migration.status?.target ?? migration.spec.targetNode;
    moves.set(key, { source, target, part: partOf(undefined, migration.status?.phase) });
  }
  return moves;
}
