import { isHeld, type Migration, migrationKind } from '../../crds/migration.ts';
import { keyOf } from '../../crds/object.ts';
import type { Seen } from '../../plan/lifecycle/record.ts';
import { isOver } from '../../plan/migration/ending.ts';
import { messageOf } from '../../ports/errors.ts';
import type { ContainersContext } from '../containers/context.ts';
import { parseContainerKey } from '../containers/keys.ts';
import { seenOf } from '../containers/seen.ts';

/** What the work on migrations of this host goes by. */
export interface MigrationsContext extends ContainersContext {
  /** Has the container looked at soon. */
  wakeContainer(key: string): void;
  /** The daemon has answered, or failed to. */
  readonly onHost: (fault?: unknown) => void;
}

/** `namespace/name` of the container that is moved. */
export function containerKeyOf({ metadata, spec }: Migration): string {
  return `${metadata.namespace ?? ''}/${spec.container}`;
}

/** Over, and the leader has no more to say about it either: nothing of it is left but its record. */
export function isSettled(migration: Migration): boolean {
  return isOver(migration.status ?? {}) && !isHeld(migration);
}

/** A daemon that does not answer leaves everything unknown. */
export async function look(
  { host, logger, limits, onHost }: MigrationsContext,
  migration: Migration,
  signal: AbortSignal,
): Promise<Seen> {
  const instance = parseContainerKey(containerKeyOf(migration))?.instance ?? '';
  try {
    const found = await limits.looks.run(signal, () => host.getInstance(instance, signal));
    onHost();
    return found === undefined ? 'absent' : seenOf(found);
  } catch (error) {
    if (signal.aborted) throw error;
    onHost(error);
    logger.debug({ instance, error: messageOf(error) }, 'cannot look at the instance of a migration');
    return 'unknown';
  }
}

/**
 * Writes what this agent says into its own fields of the status; each value is about a pass or an epoch, so it is true
 * whatever else has changed since it was found out.
 * @returns the migration with it
 */
export async function writeReport(
  { store, logger }: MigrationsContext,
  migration: Migration,
  status: object,
  signal: AbortSignal,
): Promise<Migration> {
  const { namespace = '', name } = migration.metadata;
  const written = await store.mergePatch<Migration>(
    migrationKind,
    { namespace, name },
    { body: { status }, subresource: 'status' },
    signal,
  );
  logger.debug({ migration: keyOf(migration), status }, 'migration reported');
  return written;
}
