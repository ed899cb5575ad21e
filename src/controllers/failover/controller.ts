import type { Container } from '../../crds/container.ts';
import type { Node } from '../../crds/node.ts';
import { failoverOf } from '../../plan/failover/eligibility.ts';
import { mayGoBack } from '../../plan/failover/restore.ts';
import { operatorOf } from '../../plan/failover/standing.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import type { Change } from '../../reconcile/informer.ts';
import { informerSource } from '../../reconcile/source.ts';
import type { ControllerDeps } from '../deps.ts';
import { untilGone } from '../until-gone.ts';
import { failoverReconciler } from './reconcile.ts';

/** Lost nodes: takes their leases away once it is proven that they stopped, and places what they ran elsewhere (reconcile.ts). */
export function createFailoverController(deps: ControllerDeps): Controller {
  const { containers, nodes } = deps.informers;
  return createController({
    ...deps,
    name: 'failover',
    reconcile: untilGone(failoverReconciler(deps)),
    sources: [
      deps.leases.turns,
      informerSource(nodes, (node, change) => (isMeant(change) ? [node.metadata.name] : [])),
      informerSource(containers, (container) => nodeToLookAt(deps, container)),
    ],
    concurrency: 8,
    // Longer than a fencing device may take.
    deadlineMs: 300_000,
  });
}

/** Of all that agents report only what an operator says, and what fences. */
function isMeant({ old, new: now }: Change<Node>): boolean {
  return (
    old === undefined ||
    now === undefined ||
    operatorOf(old) !== operatorOf(now) ||
    old.metadata.generation !== now.metadata.generation
  );
}

/** A container that is to be re-affirmed, that is on a node which is lost, or that may go back to one. */
function nodeToLookAt({ leases, facts }: ControllerDeps, container: Container): string[] {
  const { nodeName, term = 0, lostFrom } = container.status ?? {};
  if (lostFrom !== undefined && mayGoBack(container)) return [lostFrom];
  const lease = nodeName === undefined ? undefined : leases.lease(nodeName);
  if (nodeName === undefined || lease === undefined) return [];
  const isBehind = lease.holder === '' || term < lease.term;
  return isBehind && failoverOf(container, facts.pools).eligible ? [nodeName] : [];
}
