import { type Container, containerKind } from '../../crds/container.ts';
import { HOST_FINALIZER, NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import { type Lease, leaseRef } from '../../crds/lease.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import { failoverOf, mayLetGo } from '../../plan/failover/eligibility.ts';
import { type Loss, lossOf } from '../../plan/failover/loss.ts';
import { isUnheard } from '../../plan/failover/node-conditions.ts';
import type { Standing } from '../../plan/failover/standing.ts';
import type { Reconcile, ReconcileResult } from '../../reconcile/controller.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';
import { hasHostFinalizer, removeFinalizer } from '../finalizer.ts';
import { lossStatus } from '../loss-status.ts';
import { timeStamp } from '../time-stamp.ts';

/**
 * Speaks for a container while no agent can: lets go of one that was never placed, or that is deleted while its node is
 * fenced, and says of one whose node is not
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
      if (isLeft) await removeFinalizer(target, container, HOST_FINALIZER, signal);
      return {};
    }
    const node = deps.informers.nodes.cache.get(nodeName);
    if (!isUnheard(node) || !(await isStillUnheard(deps, nodeName, signal))) return {};
    const standing = deps.leases.standing(nodeName, node);
    if (await isLetGo(deps, container, standing, signal)) {
      await removeFinalizer(target, container, HOST_FINALIZER, signal);
      return {};
    }
    const loss = lossIn(deps, container, { node, standing });
    if (loss !== undefined) {
      await writeStatus(target, container, lossStatus(container, loss, timeStamp(deps.clock)), signal);
    }
    return nextLook(deps, nodeName, node, standing);
  };
}

/** Where there is no Node, nobody else says when its standing changes. */
function nextLook(
  { leases }: ControllerDeps,
  name: string,
  node: Node | undefined,
  standing: Standing,
): ReconcileResult {
  const isFinal = standing.is === 'Fenced' || (standing.is === 'Unheard' && standing.reason === 'NoLease');
  return node !== undefined || isFinal ? {} : { requeueAfterMs: Math.ceil(leases.nextTurnMs(name, node)) };
}

/** As `mayLetGo` says, of a node whose lease a fresh read shows to be revoked, and not asked for again. */
async function isLetGo(
  { store, leases, facts }: ControllerDeps,
  container: Container,
  standing: Standing,
  signal: AbortSignal,
): Promise<boolean> {
  if (standing.is !== 'Fenced' || !hasHostFinalizer(container)) return false;
  if (!mayLetGo(container, facts.pools, standing.by)) return false;
  const name = container.status?.nodeName ?? '';
  const fresh = await store.get<Lease>(leaseRef, { namespace: NODE_LEASE_NAMESPACE, name }, signal);
  return fresh !== undefined && leases.lease(name)?.resourceVersion === fresh.metadata.resourceVersion;
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
  { facts }: ControllerDeps,
  container: Container,
  { node, standing }: { node: Node | undefined; standing: Standing },
): Loss | undefined {
  const nodeName = container.status?.nodeName ?? '';
  const deleting =
    container.metadata.deletionTimestamp === undefined ? '' : '; it is removed once the node is back';
  const isSettled = standing.is === 'Waiting' || standing.is === 'Fenced';
  if (node === undefined && !isSettled && container.status?.phase !== 'Lost') {
    const message = `There is no node ${nodeName} any more; the container may still run there${deleting}`;
    return { reason: 'NodeUnreachable', message, isStopped: false };
  }
  const loss = lossOf(container, { node: nodeName, standing, failover: failoverOf(container, facts.pools) });
  return loss === undefined ? undefined : { ...loss, message: `${loss.message}${deleting}` };
}
