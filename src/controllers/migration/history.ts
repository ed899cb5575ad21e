import { type Migration, migrationKind } from '../../crds/migration.ts';
import { isOver } from '../../plan/migration/ending.ts';
import type { ControllerDeps } from '../deps.ts';
import { BY_CONTAINER } from '../informers.ts';

/** So many migrations of a container that are over are kept. */
export const KEPT = 10;

/** Deletes the oldest ones beyond KEPT of the container that `migration`, which is over, was about. */
export async function pruneHistory(
  { informers, store }: Pick<ControllerDeps, 'informers' | 'store'>,
  migration: Migration,
  signal: AbortSignal,
): Promise<void> {
  const { metadata, spec } = migration;
  const key = `${metadata.namespace ?? ''}/${spec.container}`;
  const others = informers.migrations.cache
    .byIndex(BY_CONTAINER, key)
    .filter((other) => other.metadata.name !== metadata.name);
  // The cache may not know of the end of this one yet.
  const over = [migration, ...others]
    .filter(
      ({ status, metadata: { deletionTimestamp } }) =>
        isOver(status ?? {}) && deletionTimestamp === undefined,
    )
    .toSorted((a, b) => (endOf(a) < endOf(b) ? 1 : -1));
  for (const { metadata: old } of over.slice(KEPT)) {
    const preconditions = old.uid === undefined ? {} : { uid: old.uid };
    await store.delete(
      migrationKind,
      { namespace: old.namespace ?? '', name: old.name },
      preconditions,
      signal,
    );
  }
}

function endOf({ status, metadata }: Migration): string {
  return status?.completedAt ?? metadata.creationTimestamp ?? '';
}
