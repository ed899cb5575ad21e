import { type Controller, createController } from '../../reconcile/controller.ts';
import { informerSource } from '../../reconcile/source.ts';
import type { ControllerDeps } from '../deps.ts';
import { untilGone } from '../until-gone.ts';
import { nodeReconciler } from './reconcile.ts';

/** Whether nodes are heard of (reconcile.ts). All else in a Node's status is its agent's. */
export function createNodeController(deps: ControllerDeps): Controller {
  return createController({
    ...deps,
    name: 'node',
    reconcile: untilGone(nodeReconciler(deps)),
    sources: [deps.leases.turns, informerSource(deps.informers.nodes)],
    concurrency: 4,
  });
}
