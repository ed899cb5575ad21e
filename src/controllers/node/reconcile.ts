import { NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import { type Lease, leaseRef } from '../../crds/lease.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import { referenceTo } from '../../crds/object.ts';
import { heldUntilMs } from '../../plan/failover/flapping.ts';
import { isUnheard, nodeStatus } from '../../plan/failover/node-conditions.ts';
import type { Standing } from '../../plan/failover/standing.ts';
import type { Reconcile, ReconcileResult } from '../../reconcile/controller.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';
import { timeStamp } from '../time-stamp.ts';

/**
 * Says in a Node's status how its lease stands (plan/failover/node-conditions.ts). Before it says that nothing is heard of a
 * node, a fresh read must have shown the very version of the lease that was last seen: a watch that lags, or a process that
 * was stopped for a while, must not look like a dead node.
 */
export function nodeReconciler(deps: ControllerDeps): Reconcile {
  const { leases, informers, clock } = deps;
  return async (name, signal) => {
    const node = informers.nodes.cache.get(name);
    if (node === undefined) return {};
    let standing = leases.standing(name, node);
    if (isNews(node, standing)) {
      leases.look(name, await readLease(deps, name, signal));
      standing = leases.standing(name, node);
    }
    const lease = leases.lease(name);
    const untilMs = heldUntilMs(lease?.losses ?? [], clock.nowMs());
    const status = nodeStatus(node, { standing, lease, flapping: untilMs !== undefined }, timeStamp(clock));
    const written = await writeStatus({ store: deps.store, ref: nodeKind }, node, status, signal);
    if (!isUnheard(node) && isUnheard(written)) tell(deps, written);
    return nextLook(deps, node, { standing, untilMs });
  };
}

function nextLook(
  { leases, clock }: ControllerDeps,
  node: Node,
  { standing, untilMs }: { standing: Standing; untilMs: number | undefined },
): ReconcileResult {
  const waits: number[] = [];
  // What is revoked, or has never begun, changes by a write of somebody, and that is heard of.
  if (standing.is !== 'Fenced' && standing.is !== 'Joining' && !isFinal(standing)) {
    waits.push(leases.nextTurnMs(node.metadata.name, node));
  }
  if (untilMs !== undefined) waits.push(Math.max(0, untilMs - clock.nowMs()));
  return waits.length === 0 ? {} : { requeueAfterMs: Math.ceil(Math.min(...waits)) };
}

function isFinal(standing: Standing): boolean {
  return standing.is === 'Unheard' && standing.reason === 'NoLease';
}

/** Whether the node is not heard of any more, and that is not said yet. */
function isNews(node: Node, { is }: Standing): boolean {
  return !isUnheard(node) && (is === 'Unheard' || is === 'Waiting' || is === 'Fenceable');
}

function tell({ events, logger }: ControllerDeps, node: Node): void {
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
  events.record(referenceTo(node), 'Warning', 'NodeUnreachable', ready?.message ?? '');
  logger.warn({ node: node.metadata.name, reason: ready?.reason }, 'node not heard of');
}

function readLease({ store }: ControllerDeps, name: string, signal: AbortSignal): Promise<Lease | undefined> {
  return store.get<Lease>(leaseRef, { namespace: NODE_LEASE_NAMESPACE, name }, signal);
}
