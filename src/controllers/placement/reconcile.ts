import { type Container, containerKind, instanceNameFault } from '../../crds/container.ts';
import { referenceTo } from '../../crds/object.ts';
import type { StoragePool } from '../../crds/storage-pool.ts';
import { HOST_FINALIZER } from '../../crds/kind.ts';
import { failoverOf } from '../../plan/failover/eligibility.ts';
import type { SchedulingFacts } from '../../plan/scheduling/facts.ts';
import { planPlacement } from '../../plan/scheduling/placement.ts';
import { waitsForPools, YOUNG_POOL_MS } from '../../plan/scheduling/young-pools.ts';
import { hasCode } from '../../ports/errors.ts';
import type { Reconcile } from '../../reconcile/controller.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';
import { addFinalizer } from '../finalizer.ts';
import { timeStamp } from '../time-stamp.ts';
import { isSaid, pendingStatus, type Placement, placedStatus } from '../placement-status.ts';

/** While nodes prove a new pool. */
const POOLS_AGAIN_MS = 250;

export interface PlacementState {
  readonly facts: SchedulingFacts;
  /** Keys of containers that no node could take when they were last looked at. */
  readonly waiting: Set<string>;
}

/**
 * Places each container once. A decision is taken and counted (`facts.assume`) without a break in between, so passes that
 * run at the same time never promise the same room; then it is recorded: first the finalizer, so that the container cannot
 * vanish from under its host, then `status.nodeName` with a new epoch, each by one conditional write. A container that
 * has a node is never placed again here.
 */
export function placementReconciler(deps: ControllerDeps, state: PlacementState): Reconcile {
  const { facts, waiting } = state;
  /** uid by key of the containers whose placement was acknowledged, while the cache does not show it. */
  const acknowledged = new Map<string, string | undefined>();

  return async (key, signal) => {
    let container = deps.informers.containers.cache.get(key);
    waiting.delete(key);
    if (container === undefined || container.metadata.deletionTimestamp !== undefined) {
      acknowledged.delete(key);
      return {};
    }
    const { uid } = container.metadata;
    if (container.status?.nodeName) {
      acknowledged.delete(key);
      await addFinalizer({ store: deps.store, ref: containerKind }, container, HOST_FINALIZER, signal);
      return {};
    }
    if (acknowledged.has(key) && acknowledged.get(key) === uid) return {};
    if (facts.assumedNodeOf(container) !== undefined) {
      // An earlier pass wrote, and has no reply: what is there now decides.
      container = await readAgain(deps, container, signal);
      if (container === undefined || container.status?.nodeName) return {};
      facts.release(container);
    }
    const fault = instanceNameFault(container);
    if (fault !== undefined) {
      await refuse(deps, container, { reason: 'InvalidName', message: `metadata.name ${fault}` }, signal);
      return {};
    }
    const decision = planPlacement(container, facts);
    if (!decision.fits) {
      waiting.add(key);
      await refuse(deps, container, { reason: 'Unschedulable', message: decision.message }, signal);
      return {};
    }
    if (waitsForPools(container, facts, (pool) => isYoung(deps, pool))) {
      return { requeueAfterMs: POOLS_AGAIN_MS };
    }
    facts.assume(container, decision.node);
    await place({ deps, facts }, container, decision.node, signal);
    acknowledged.set(key, uid);
    const { scores, candidates } = decision;
    deps.logger.info({ key, node: decision.node, candidates, scores }, 'container placed');
    return {};
  };
}

/** Where the API's clock differs much from this one, nothing waits. */
function isYoung({ clock }: ControllerDeps, { metadata }: StoragePool): boolean {
  const ageMs = clock.nowMs() - Date.parse(metadata.creationTimestamp ?? '');
  return Math.abs(ageMs) < YOUNG_POOL_MS;
}

async function place(
  { deps, facts }: { deps: ControllerDeps; facts: SchedulingFacts },
  container: Container,
  node: string,
  signal: AbortSignal,
): Promise<void> {
  const target = { store: deps.store, ref: containerKind };
  try {
    const held = await addFinalizer(target, container, HOST_FINALIZER, signal);
    await writeStatus(
      target,
      held,
      placedStatus(held, placementOn(deps, held, node), timeStamp(deps.clock)),
      signal,
    );
  } catch (error) {
    // Without a reply it may have been written all the same, so the room stays promised until a read shows it.
    if (hasCode(error, 'Conflict', 'NotFound', 'Invalid', 'Forbidden', 'Unauthorized', 'TooManyRequests')) {
      facts.release(container);
    }
    throw error;
  }
  deps.events.record(referenceTo(container), 'Normal', 'Scheduled', `Placed on ${node}`);
}

function placementOn({ leases, facts }: ControllerDeps, container: Container, node: string): Placement {
  return { node, term: leases.lease(node)?.term ?? 0, failover: failoverOf(container, facts.pools).how };
}

async function refuse(
  deps: ControllerDeps,
  container: Container,
  why: { reason: string; message: string },
  signal: AbortSignal,
): Promise<void> {
  const status = pendingStatus(container, why, timeStamp(deps.clock));
  await writeStatus({ store: deps.store, ref: containerKind }, container, status, signal);
  if (isSaid(container, why)) return;
  deps.events.record(referenceTo(container), 'Warning', 'FailedScheduling', why.message);
}

async function readAgain(
  { store }: ControllerDeps,
  { metadata: { name, namespace = '', uid } }: Container,
  signal: AbortSignal,
): Promise<Container | undefined> {
  const fresh = await store.get<Container>(containerKind, { namespace, name }, signal);
  return fresh?.metadata.uid === uid && fresh?.metadata.deletionTimestamp === undefined ? fresh : undefined;
}
