import { type Container, containerKind } from '../../crds/container.ts';
import { keyOf, referenceTo } from '../../crds/object.ts';
import { failoverOf } from '../../plan/failover/eligibility.ts';
import { inRecoveryOrder } from '../../plan/failover/recovery-order.ts';
import { hasRoomAt, mayGoBack } from '../../plan/failover/restore.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';
import { BY_LOST_FROM } from '../informers.ts';
import { placedStatus } from '../placement-status.ts';
import { timeStamp } from '../time-stamp.ts';

/** Moves back to `home`, which is there again, what was lost on it and is powered off (plan/failover/restore.ts). */
export async function restore(deps: ControllerDeps, home: string, signal: AbortSignal): Promise<void> {
  const { informers, leases, facts, clock, store, events, logger } = deps;
  for (const container of inRecoveryOrder(informers.containers.cache.byIndex(BY_LOST_FROM, home))) {
    const term = leases.lease(home)?.term;
    const { eligible, how } = failoverOf(container, facts.pools);
    if (term === undefined || !leases.isFresh(home) || !eligible || !canGo(deps, container, home)) continue;
    facts.assume(container, home);
    const message = `Node ${home} is back; placed on it again`;
    const why = { reason: 'Restored', message };
    const status = placedStatus(container, { node: home, term, failover: how, why }, timeStamp(clock));
    try {
      await writeStatus({ store, ref: containerKind }, container, status, signal);
    } catch (error) {
      // If it was written all the same, the watch says so.
      facts.release(container);
      throw error;
    }
    events.record(referenceTo(container), 'Normal', 'Restored', message);
    logger.info({ key: keyOf(container), node: home, epoch: status.epoch }, 'container placed back');
  }
}

function canGo({ facts }: ControllerDeps, container: Container, home: string): boolean {
  return (
    mayGoBack(container) && facts.assumedNodeOf(container) === undefined && hasRoomAt(container, home, facts)
  );
}
