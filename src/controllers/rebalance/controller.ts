import { CLUSTER_POLICY_NAME } from '../../crds/cluster-policy.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import { periodicSource } from '../../reconcile/source.ts';
import type { ControllerDeps } from '../deps.ts';
import type { Relocations } from '../relocations.ts';
import { rebalanceReconciler } from './reconcile.ts';

/** Balance is no emergency: nothing is moved for what is over in a moment. */
const LOOK_EVERY_MS = 30_000;

/** Relieves crowded nodes, where the ClusterPolicy asks for it (reconcile.ts). */
export function createRebalanceController(deps: ControllerDeps, relocations: Relocations): Controller {
  const controller = createController({
    ...deps,
    name: 'rebalance',
    reconcile: rebalanceReconciler(deps, relocations),
    sources: [periodicSource(deps.clock, LOOK_EVERY_MS, () => [CLUSTER_POLICY_NAME])],
  });
  return {
    ...controller,
    async start(signal) {
      await relocations.ready(signal);
      await controller.start(signal);
    },
  };
}
