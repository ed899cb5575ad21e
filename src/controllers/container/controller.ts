import { keyOf } from '../../crds/object.ts';
import { isUnheard } from '../../plan/failover/node-conditions.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import { informerSource } from '../../reconcile/source.ts';
import type { ControllerDeps } from '../deps.ts';
import { BY_NODE } from '../informers.ts';
import { untilGone } from '../until-gone.ts';
import { containerReconciler } from './reconcile.ts';

/** The life of containers that no agent can speak for (reconcile.ts). */
export function createContainerController(deps: ControllerDeps): Controller {
  const { containers, nodes } = deps.informers;
  return createController({
    ...deps,
    name: 'container',
    reconcile: untilGone(containerReconciler(deps)),
    sources: [
      informerSource(containers),
      informerSource(nodes, (node, change) =>
        isUnheard(change.new) ? containers.cache.byIndex(BY_NODE, node.metadata.name).map(keyOf) : [],
      ),
    ],
    concurrency: 4,
  });
}
