import { FENCED_BY_ANNOTATION, NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import { type Lease, leaseRef } from '../../crds/lease.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import { apiVersionOf, referenceTo } from '../../crds/object.ts';
import { grantedLease, revokedLease } from '../../plan/failover/lease-record.ts';
import { planRecovery } from '../../plan/failover/recovery.ts';
import { operatorOf, type Standing } from '../../plan/failover/standing.ts';
import { messageOf } from '../../ports/errors.ts';
import type { Reconcile, ReconcileResult } from '../../reconcile/controller.ts';
import type { ControllerDeps } from '../deps.ts';
import { inParallel } from '../in-parallel.ts';
import { BY_NODE } from '../informers.ts';
import { createMoves, type Moves } from './moves.ts';
import { restore } from './restore.ts';

/**
 * One node at a time, by its standing (plan/failover/standing.ts):
 *
 * - it is to be fenced: node and lease are read afresh, the same must follow from them, and the lease is revoked by a write
 *   that is conditional on the very version that was read;
 * - it is fenced: what ran there is placed elsewhere, by conditional writes, in order of priority and at a limited rate;
 * - it asks to be let in: it gets the next term, and nothing more is moved away from it;
 * - it holds its lease: what stays there gets its present term, and what was lost on it may go back while it is off.
 *
 * Every step is planned from what is seen; one that failed, or whose reply was lost, is planned again.
 */
export function failoverReconciler(deps: ControllerDeps): Reconcile {
  const moves = createMoves(deps);
  /** The last renewal of each node at the time when an operator's word about it was first seen. */
  const renewals = new Map<string, string | number>();
  const renewsDespiteWord = (name: string, node: Node | undefined): boolean => {
    const renewal = deps.leases.lease(name)?.renewal;
    if (operatorOf(node) === undefined || renewal === undefined) {
      renewals.delete(name);
      return false;
    }
    if (!renewals.has(name)) renewals.set(name, renewal);
    return renewals.get(name) !== renewal;
  };
  return async (name, signal) => {
    const { leases, informers } = deps;
    const node = informers.nodes.cache.get(name);
    const standing = leases.standing(name, node);
    switch (standing.is) {
      case 'Live':
        if (renewsDespiteWord(name, node)) await takeBackWord(deps, node, 'it renews its lease', signal);
        await reaffirm(deps, moves, name, signal);
        await restore(deps, name, signal);
        return { requeueAfterMs: Math.ceil(leases.nextTurnMs(name, node)) };
      case 'Fenceable':
        return await fence(deps, name, signal);
      case 'Fenced':
        return await moves.recover(name, signal);
      case 'Joining':
        await takeBackWord(deps, node, 'it asks to be let in', signal);
        await grant(deps, moves, name, signal);
        return {};
      default:
        await reaffirm(deps, moves, name, signal);
        return standing.is === 'Unheard' && standing.reason === 'NoLease'
          ? {}
          : { requeueAfterMs: Math.ceil(leases.nextTurnMs(name, node)) };
    }
  };
}

const LOOK_AGAIN_MS = 100;
/** After a device that failed. */
const DEVICE_AGAIN_MS = 5_000;

type Fenceable = Extract<Standing, { is: 'Fenceable' }>;

/**
 * A device confirms first, and then node and lease are read: whatever the node renews after the device has spoken makes the
 * revocation fail.
 */
async function fence(deps: ControllerDeps, name: string, signal: AbortSignal): Promise<ReconcileResult> {
  const { store, leases, events, logger } = deps;
  let node = await store.get<Node>(nodeKind, { name }, signal);
  leases.look(name, await readLease(deps, name, signal));
  const before = leases.standing(name, node);
  if (before.is !== 'Fenceable') return { requeueAfterMs: LOOK_AGAIN_MS };
  if (before.proof === 'Fencing' && node !== undefined) {
    if (!(await useDevice(deps, node, signal))) return { requeueAfterMs: DEVICE_AGAIN_MS };
    node = await store.get<Node>(nodeKind, { name }, signal);
  }
  const fresh = await readLease(deps, name, signal);
  leases.look(name, fresh);
  const standing = leases.standing(name, node);
  const isAsRead = leases.lease(name)?.resourceVersion === fresh?.metadata.resourceVersion;
  if (!isAsRead || standing.is !== 'Fenceable' || standing.proof !== before.proof) {
    return { requeueAfterMs: LOOK_AGAIN_MS };
  }
  leases.look(name, await revoke(deps, { name, lease: fresh, by: standing.by }, signal));
  logger.warn({ node: name, by: standing.by, term: leases.lease(name)?.term }, 'node fenced');
  if (node !== undefined) events.record(referenceTo(node), 'Warning', 'NodeFenced', fencedMessage(standing));
  return { requeueAfterMs: 0 };
}

/** One that was deleted is made anew, as revoked: that fails when the node has made one itself by now. */
async function revoke(
  { store, leases, informers, clock }: ControllerDeps,
  { name, lease, by }: { name: string; lease: Lease | undefined; by: string },
  signal: AbortSignal,
): Promise<Lease> {
  if (lease !== undefined) {
    return await store.update<Lease>(leaseRef, revokedLease(lease, by, clock.nowMs()), signal);
  }
  const placed = informers.containers.cache.byIndex(BY_NODE, name);
  const term = Math.max(0, ...placed.map(({ status }) => status?.term ?? 0));
  const last = leases.lastOf(name) ?? vacantLease(name, term);
  return await store.create<Lease>(leaseRef, revokedLease(withoutIdentity(last), by, clock.nowMs()), signal);
}

function vacantLease(name: string, term: number): Lease {
  return {
    apiVersion: apiVersionOf(leaseRef),
    kind: leaseRef.kind,
    metadata: { name, namespace: NODE_LEASE_NAMESPACE },
    spec: { holderIdentity: '', leaseTransitions: term },
  };
}

function withoutIdentity({ metadata, ...lease }: Lease): Lease {
  const { name, namespace, annotations = {}, labels = {} } = metadata;
  return {
    ...lease,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), annotations, labels },
  };
}

/** @returns whether it confirmed that the host is off */
async function useDevice(
  { fencer, events, logger }: ControllerDeps,
  node: Node,
  signal: AbortSignal,
): Promise<boolean> {
  const { name } = node.metadata;
  try {
    await fencer.fence(name, node.spec.fencing ?? {}, signal);
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    const message = `spec.fencing could not confirm that the host is off: ${messageOf(error)}`;
    events.record(referenceTo(node), 'Warning', 'FencingFailed', message);
    logger.warn({ node: name, error: messageOf(error) }, 'fencing device failed');
    return false;
  }
}

function fencedMessage({ by }: Fenceable): string {
  return `Its lease was taken away (${by}); what may run elsewhere is placed there`;
}

async function grant(deps: ControllerDeps, moves: Moves, name: string, signal: AbortSignal): Promise<void> {
  const { store, leases, logger } = deps;
  const fresh = await readLease(deps, name, signal);
  leases.look(name, fresh);
  const lease = leases.lease(name);
  if (fresh === undefined || lease?.resourceVersion !== fresh.metadata.resourceVersion) return;
  if (lease === undefined || lease.holder !== '' || !lease.rejoinAsked) return;
  // It is back: what was not moved yet is started there, which is sooner done.
  const steps = planRecovery(lease, moves.placedOn(name), () => undefined);
  for (const step of steps) {
    if (step.do !== 'grant') continue;
    const granted = await store.update<Lease>(leaseRef, grantedLease(fresh, step.term), signal);
    leases.look(name, granted);
    logger.info({ node: name, term: step.term }, 'node let in');
  }
}

async function reaffirm(
  deps: ControllerDeps,
  moves: Moves,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const lease = deps.leases.lease(name);
  if (lease === undefined || lease.holder === '') return;
  const steps = planRecovery(lease, moves.placedOn(name), () => undefined);
  await inParallel(steps, async (step) => {
    if (step.do === 'reaffirm') await moves.reaffirm(step.key, step.term, signal);
  });
}

/** A word about a node that is there would be believed when it is lost the next time. */
async function takeBackWord(
  { store, events }: ControllerDeps,
  node: Node | undefined,
  why: string,
  signal: AbortSignal,
): Promise<void> {
  const operator = operatorOf(node);
  if (node === undefined || operator === undefined) return;
  const { name, resourceVersion } = node.metadata;
  const body = { metadata: { resourceVersion, annotations: { [FENCED_BY_ANNOTATION]: null } } };
  await store.mergePatch(nodeKind, { name }, { body }, signal);
  const message = `The annotation ${FENCED_BY_ANNOTATION}=${operator} was taken back: ${why}`;
  events.record(referenceTo(node), 'Warning', 'FencedByTakenBack', message);
}

function readLease({ store }: ControllerDeps, name: string, signal: AbortSignal): Promise<Lease | undefined> {
  return store.get<Lease>(leaseRef, { namespace: NODE_LEASE_NAMESPACE, name }, signal);
}
