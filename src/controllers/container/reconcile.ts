import { type Container, containerKind } from '../../crds/container.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import { failoverOf } from '../../plan/failover/eligibility.ts';
import { type Loss, lossOf } from '../../plan/failover/loss.ts';
import { isUnheard } from '../../plan/failover/node-conditions.ts';
import type { Reconcile } from '../../reconcile/controller.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';
import { hasHostFinalizer, removeHostFinalizer } from '../finalizer.ts';
import { lossStatus } from '../loss-status.ts';
import { timeStamp } from '../time-stamp.ts';

/**
 * Speaks for a container while no agent can: lets go of one that was never placed, and says of one whose node is not
 * heard of why it is not known how it is, or that it is lost (plan/failover/loss.ts). What can be placed elsewhere is
 * the failover controller's. As long as the node is heard of (its own Ready is True or False) every word about the container
 * is the agent's, and this reconciler writes nothing. Both sides write on condition of the resourceVersion, so a late word of
 * one never overwrites what the other has said since.
 */
export function containerReconciler(deps: ControllerDeps): Reconcile {
  const target = { store: deps.store, ref: containerKind };
  return async (key, signal) => {
    const container = deps.informers.containers.cache.get(key);
    if (container === undefined) return {};
    const nodeName = container.status?.nodeName;
    if (!nodeName) {
      // A placement that is on its way loses against this write, or this one against it.
      const isLeft = container.metadata.deletionTimestamp !== undefined && hasHostFinalizer(container);
      if (isLeft) await removeHostFinalizer(target, container, signal);
      return {};
    }
    const node = deps.informers.nodes.cache.get(nodeName);
    if (!isUnheard(node) || !(await isStillUnheard(deps, nodeName, signal))) return {};
    const loss = lossIn(deps, container, node);
    if (loss === undefined) return {};
    await writeStatus(target, container, lossStatus(container, loss, timeStamp(deps.clock)), signal);
    return {};
  };
}

/** The cache may be late: what it does not hold, or holds as lost, may be back. */
async function isStillUnheard(
  { store }: ControllerDeps,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  return isUnheard(await store.get<Node>(nodeKind, { name }, signal));
}

function lossIn(
  { leases, facts }: ControllerDeps,
  container: Container,
  node: Node | undefined,
): Loss | undefined {
  const nodeName = container.status?.nodeName ?? '';
  const deleting =
    container.metadata.deletionTimestamp === undefined ? '' : '; it is removed once the node is back';
  if (node === undefined) {
    const message = `There is no node ${nodeName} any more; the container may still run there${deleting}`;
    return { reason: 'NodeUnreachable', message, isStopped: false };
  }
  const standing = leases.standing(nodeName, node);
  const loss = lossOf(container, { node: nodeName, standing, failover: failoverOf(container, facts.pools) });
  return loss === undefined ? undefined : { ...loss, message: `${loss.message}${deleting}` };
}
