import { type Container, containerKind } from '../../crds/container.ts';
import { keyOf, referenceTo } from '../../crds/object.ts';
import { failoverOf, isMovable } from '../../plan/failover/eligibility.ts';
import type { Loss } from '../../plan/failover/loss.ts';
import { planMove } from '../../plan/failover/node-loss.ts';
import { createRateLimit, type RateLimit } from '../../plan/failover/rate-limit.ts';
import { type PlacedContainer, planRecovery } from '../../plan/failover/recovery.ts';
import { inRecoveryOrder } from '../../plan/failover/recovery-order.ts';
import { isMigrationsToSave } from '../../plan/migration/claim.ts';
import { hasCode } from '../../ports/errors.ts';
import type { ReconcileResult } from '../../reconcile/controller.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';
import { BY_NODE } from '../informers.ts';
import { lossStatus } from '../loss-status.ts';
import { placedStatus } from '../placement-status.ts';
import { timeStamp } from '../time-stamp.ts';
import { inParallel } from '../in-parallel.ts';

/** The leader's writes about the containers of one node. */
export interface Moves {
  /** What is placed on `node` and may be placed elsewhere, as the cache shows it. */
  placedOn(node: string): PlacedContainer[];
  /** Places elsewhere what a fenced node ran, as far as room and rate allow. */
  recover(node: string, signal: AbortSignal): Promise<ReconcileResult>;
  reaffirm(key: string, term: number, signal: AbortSignal): Promise<void>;
}

interface State extends ControllerDeps {
  limit: RateLimit;
  /** Epochs by key that were written, while the cache does not show them. */
  written: Map<string, number>;
}

const ZONE_LABEL = 'topology.kubernetes.io/zone';
/** What fits nowhere is looked at again so often. */
const NO_ROOM_MS = 1_000;

export function createMoves(deps: ControllerDeps): Moves {
  const state: State = { ...deps, limit: createRateLimit(), written: new Map() };
  return {
    placedOn: (node) => eligibleOn(state, node).map((container) => placed(container, node)),
    recover: (node, signal) => recover(state, node, signal),
    async reaffirm(key, term, signal) {
      const container = deps.informers.containers.cache.get(key);
      if (container === undefined) return;
      await writeStatus({ ...deps, ref: containerKind }, container, { ...container.status, term }, signal);
    },
  };
}

async function recover(state: State, node: string, signal: AbortSignal): Promise<ReconcileResult> {
  const { informers, leases, facts, limit, clock, store } = state;
  const domain = informers.nodes.cache.get(node)?.metadata.labels?.[ZONE_LABEL] ?? '';
  forgetShown(state);
  const known = await inParallel(eligibleOn(state, node), (container) => settled(state, container, signal));
  const movable = new Map<string, Container>();
  for (const container of known) {
    // A complete copy is elsewhere, or it runs there: its migration places it there again.
    const isMoved = container !== undefined && isMigrationsToSave(container);
    if (container !== undefined && !isMoved && isMovable(container, facts.pools))
      movable.set(keyOf(container), container);
  }
  const lease = leases.lease(node);
  // It may have come back while the reads went on.
  if (lease === undefined || lease.holder !== '' || lease.rejoinAsked) return { requeueAfterMs: 0 };
  const acts: (() => Promise<unknown>)[] = [];
  let next: ReconcileResult = {};
  // Decisions are taken without a break in between, and each is counted at once.
  const steps = planRecovery(
    lease,
    [...movable.values()].map((one) => placed(one, node)),
    ({ key }) => {
      const container = movable.get(key) as Container;
      const decision = decide(state, container, domain);
      if (decision === 'later') {
        next = { requeueAfterMs: limit.waitMs(domain, clock.monotonicMs()) };
        return undefined;
      }
      if ('node' in decision) return decision.node;
      next = { requeueAfterMs: NO_ROOM_MS, ...next };
      const status = lossStatus(container, decision, timeStamp(clock));
      acts.push(() => writeStatus({ store, ref: containerKind }, container, status, signal));
      return undefined;
    },
  );
  const moving = steps.flatMap((step) => {
    if (step.do !== 'move') return [];
    const container = movable.get(step.key) as Container;
    return [() => move(state, container, { from: node, node: step.target }, signal)];
  });
  await inParallel<() => Promise<unknown>, unknown>([...moving, ...acts], (act) => act());
  return next;
}

/** In the order in which they are to be placed. */
function eligibleOn({ informers, facts, written }: State, node: string): Container[] {
  return inRecoveryOrder(
    informers.containers.cache
      .byIndex(BY_NODE, node)
      .filter((container) => !written.has(keyOf(container)) && failoverOf(container, facts.pools).eligible),
  );
}

function forgetShown({ written, informers }: State): void {
  for (const [key, epoch] of written) {
    const container = informers.containers.cache.get(key);
    if (container === undefined || (container.status?.epoch ?? 0) >= epoch) written.delete(key);
  }
}

/** An earlier write had no reply: what is there now decides. @returns undefined when it went through */
async function settled(
  { facts, store }: State,
  container: Container,
  signal: AbortSignal,
): Promise<Container | undefined> {
  if (facts.assumedNodeOf(container) === undefined) return container;
  const { name, namespace = '', uid } = container.metadata;
  const fresh = await store.get<Container>(containerKind, { namespace, name }, signal);
  if (fresh?.status?.epoch !== container.status?.epoch || fresh?.metadata.uid !== uid) return undefined;
  facts.release(container);
  return fresh;
}

/** @returns what the container is to say when it cannot go */
function decide(
  { limit, facts, clock }: State,
  container: Container,
  domain: string,
): { node: string } | Loss | 'later' {
  if (!limit.has(domain, clock.monotonicMs())) return 'later';
  const fate = planMove(container, facts);
  if (fate.does === 'wait') return { reason: 'NoCapacity', message: fate.message, isStopped: true };
  limit.take(domain, clock.monotonicMs());
  return { node: fate.target };
}

async function move(
  state: State,
  container: Container,
  { from, node }: { from: string; node: string },
  signal: AbortSignal,
): Promise<void> {
  const { leases, facts, clock, store, events, logger, written } = state;
  const key = keyOf(container);
  const { how } = failoverOf(container, facts.pools);
  const message = `Node ${from} is lost; placed on ${node}`;
  const placement = {
    node,
    term: leases.lease(node)?.term ?? 0,
    failover: how,
    lostFrom: from,
    why: { reason: how === 'Recover' ? 'Recovered' : 'Recreated', message },
  };
  const status = placedStatus(container, placement, timeStamp(clock));
  try {
    await writeStatus({ store, ref: containerKind }, container, status, signal);
  } catch (error) {
    // Without a reply it may have been written all the same, so the room stays promised until a read shows it.
    if (!hasCode(error, 'Timeout', 'Unavailable', 'Aborted', 'Internal')) facts.release(container);
    throw error;
  }
  written.set(key, status.epoch ?? 0);
  events.record(referenceTo(container), 'Normal', 'Moved', message);
  logger.info({ key, from, node, epoch: status.epoch }, 'container placed elsewhere');
}

function placed(container: Container, nodeName: string): PlacedContainer {
  return { key: keyOf(container), nodeName, term: container.status?.term ?? 0 };
}
