import { type Container, containerKind } from '../../crds/container.ts';
import { type Migration, migrationKind } from '../../crds/migration.ts';
import { withoutClaim } from '../../plan/migration/claim.ts';
import { hasArrived, releasedStatus } from '../../plan/migration/stages.ts';
import type { ReconcileResult } from '../../reconcile/controller.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';

const LOOK_AGAIN_MS = 5_000;

/**
 * Gives up the claims of a Migration that is gone although its finalizer should have kept it: somebody has taken that off.
 * Before the switch the source has the container; after it, the claim goes once the target runs it. What
 * has become of a live pass nobody can say any more: then it stays until the container is deleted.
 */
export async function settleStray(
  deps: Pick<ControllerDeps, 'informers' | 'store' | 'logger'>,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const [namespace = '', name = ''] = key.split('/');
  const claimed = deps.informers.containers.cache
    .list()
    .filter(({ metadata, status }) => metadata.namespace === namespace && status?.migration?.name === name);
  if (claimed.length === 0) return {};
  const there = await deps.store.get<Migration>(migrationKind, { namespace, name }, signal);
  let result: ReconcileResult = {};
  for (const container of claimed) {
    if (there?.metadata.uid === container.status?.migration?.uid) continue;
    if (!(await giveUp(deps, container, signal))) result = { requeueAfterMs: LOOK_AGAIN_MS };
  }
  return result;
}

/** @returns whether nothing is left to do */
async function giveUp(
  { store, logger }: Pick<ControllerDeps, 'store' | 'logger'>,
  container: Container,
  signal: AbortSignal,
): Promise<boolean> {
  const claim = container.status?.migration;
  if (claim === undefined) return true;
  const isBefore = claim.stage === 'Copying' || claim.stage === 'Held';
  // Of one that is to be deleted nothing is kept anywhere.
  const isDeleting = container.metadata.deletionTimestamp !== undefined;
  if (!isBefore && !isDeleting && (claim.stage === 'Live' || !hasArrived(container))) return false;
  const status = isBefore ? releasedStatus(container, claim) : withoutClaim(container.status ?? {});
  await writeStatus({ store, ref: containerKind }, container, status, signal);
  logger.warn(
    { container: container.metadata.name, migration: claim.name },
    'a claim without a Migration is given up',
  );
  return true;
}
