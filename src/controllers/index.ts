import { createSchedulingFacts } from '../plan/scheduling/facts.ts';
import type { Runnable } from '../reconcile/runnable.ts';
import { createClusterPolicyController } from './clusterpolicy/controller.ts';
import { createContainerController } from './container/controller.ts';
import type { ControllerDeps, LeaderDeps } from './deps.ts';
import { createDisruptionBudgetController } from './disruptionbudget/controller.ts';
import { createDrainController } from './drain/controller.ts';
import { createFailoverController } from './failover/controller.ts';
import { createMembersController } from './failover/members.ts';
import { leadingStore } from './leading-store.ts';
import { createLeaseView } from './lease-view.ts';
import { createMigrationController } from './migration/controller.ts';
import { createNodeController } from './node/controller.ts';
import { createPlacementController } from './placement/controller.ts';
import { createRebalanceController } from './rebalance/controller.ts';
import { createRelocations } from './relocations.ts';
import { createStoragePoolController } from './storagepool/controller.ts';

/**
 * The controllers of the one replica that leads. To be started, in this order, after the informers of `deps` are ready,
 * new ones for each time in office: what they remember (assumed placements, when leases were seen) ends with it.
 * @param isLeading looked at before every write
 */
export function createControllers(deps: LeaderDeps, isLeading: () => boolean): Runnable[] {
  const store = leadingStore(deps.store, isLeading);
  const leases = createLeaseView({ ...deps, store });
  const facts = createSchedulingFacts({}, (node) =>
    leases.isFresh(node) ? undefined : 'not renewing its lease',
  );
  const leading: ControllerDeps = { ...deps, store, leases, facts };
  const relocations = createRelocations(leading);
  return [
    leases,
    createPlacementController(leading),
    createContainerController(leading),
    createNodeController(leading),
    createStoragePoolController(leading),
    createClusterPolicyController(leading),
    createFailoverController(leading),
    createMembersController(leading),
    createMigrationController(leading),
    createDrainController(leading, relocations),
    createRebalanceController(leading, relocations),
    createDisruptionBudgetController(leading, relocations),
  ];
}
