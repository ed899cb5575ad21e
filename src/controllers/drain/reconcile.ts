import { type Container, containerKind, type ContainerStatus } from '../../crds/container.ts';
import type { DrainPhase } from '../../crds/maintenance.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import { referenceTo } from '../../crds/object.ts';
import {
  type DrainCounts,
  type DrainFacts,
  type DrainPlan,
  isDrained,
  planDrain,
  type Relocation,
} from '../../plan/drain/drain.ts';
import { isRestored, planRestore } from '../../plan/drain/restore.ts';
import { drainNodeStatus, isRestorePhase } from '../../plan/drain/status.ts';
import { isUnheard } from '../../plan/failover/node-conditions.ts';
import type { Cause } from '../../plan/relocation/cause.ts';
import type { Reconcile, ReconcileResult } from '../../reconcile/controller.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';
import { inParallel } from '../in-parallel.ts';
import { BY_DRAINED_FROM, BY_NODE } from '../informers.ts';
import type { Relocations } from '../relocations.ts';
import { timeStamp } from '../time-stamp.ts';

/** A node whose lease is late is lost, or is back, soon. */
const DOUBT_MS = 1_000;
const UNSEEN_MS = 2_000;

/**
 * One round about one node: decides what may begin now (plan/drain), counts it, says in the Node's status how far it is, and
 * asks for the migrations. All that is remembered stands in the API: what a container says of where it came from and of
 * why it is off, and the migrations themselves. So a round of another leader goes on from here, and one that failed half-way
 * is made up for by the next.
 */
export function drainReconciler(deps: ControllerDeps, relocations: Relocations): Reconcile {
  return async (name, signal) => {
    const node = deps.informers.nodes.cache.get(name);
    if (node === undefined || !isAtWork(node)) return {};
    const isLost = isUnheard(node);
    if (!isLost && !deps.leases.isFresh(name)) return { requeueAfterMs: DOUBT_MS };
    return node.spec.maintenance === 'Drain'
      ? await drain({ deps, relocations }, node, signal)
      : await restore({ deps, relocations }, node, signal);
  };
}

/** Whether there is something to be done about it: it is in maintenance, or was. */
export function isAtWork({ spec, status }: Node): boolean {
  if (spec.maintenance === 'Drain') return true;
  return status?.drain !== undefined && status.drain.phase !== 'Restored';
}

interface Context {
  deps: ControllerDeps;
  relocations: Relocations;
}

async function drain(context: Context, node: Node, signal: AbortSignal): Promise<ReconcileResult> {
  const { deps, relocations } = context;
  const cause = causeOf('drain', node);
  const remembered = rememberedBy(deps, node);
  const plan = planDrain({
    ...factsOf(context, node, cause),
    away: remembered.filter(({ status }) => status?.nodeName !== node.metadata.name),
  });
  relocations.assume(plan.moves, cause);
  const why = `node ${node.metadata.name} is emptied`;
  const mode = node.spec.drain?.mode;
  await allOf([
    ...plan.moves.map((move) => () => {
      const home = homeOf(deps, move, node);
      return relocations.begin(move, { cause, mode, why, home }, signal);
    }),
    ...plan.stops.map((one) => () => mark(deps, one, { stoppedFor: 'Maintenance' }, signal)),
    ...plan.starts.map((one) => () => mark(deps, one, { stoppedFor: undefined }, signal)),
    () => say(deps, node, isDrained(plan.counts) ? 'Drained' : 'Draining', plan.counts, signal),
  ]);
  return nextLook(context, plan);
}

async function restore(context: Context, node: Node, signal: AbortSignal): Promise<ReconcileResult> {
  const { deps, relocations } = context;
  const cause = causeOf('restore', node);
  const old = node.status?.drain;
  const plan = planRestore(
    { ...factsOf(context, node, cause), remembered: rememberedBy(deps, node) },
    isRestorePhase(old?.phase) ? (old?.total ?? 0) : 0,
  );
  relocations.assume(plan.moves, cause);
  const why = `the maintenance of node ${node.metadata.name} has ended`;
  await allOf([
    ...plan.moves.map((move) => () => relocations.begin(move, { cause, mode: undefined, why }, signal)),
    ...plan.starts.map((one) => () => mark(deps, one, { stoppedFor: undefined }, signal)),
    ...plan.forgets.map((one) => () => mark(deps, one, { drainedFrom: undefined }, signal)),
    () => say(deps, node, isRestored(plan) ? 'Restored' : 'Restoring', plan.counts, signal),
  ]);
  return nextLook(context, plan);
}

function nextLook({ relocations }: Context, { afterMs }: DrainPlan): ReconcileResult {
  const afterAllMs = relocations.hasUnseen() ? Math.min(afterMs ?? UNSEEN_MS, UNSEEN_MS) : afterMs;
  return afterAllMs === undefined ? {} : { requeueAfterMs: afterAllMs };
}

function causeOf(kind: 'drain' | 'restore', { metadata }: Node): Cause {
  return { kind, node: metadata.name, generation: metadata.generation ?? 0 };
}

function factsOf({ deps, relocations }: Context, node: Node, cause: Cause): Omit<DrainFacts, 'away'> {
  const { name } = node.metadata;
  return {
    ...relocations.facts(cause),
    node: name,
    isReachable: deps.leases.isFresh(name),
    options: node.spec.drain ?? {},
    here: deps.informers.containers.cache.byIndex(BY_NODE, name),
  };
}

function rememberedBy({ informers }: ControllerDeps, { metadata }: Node): readonly Container[] {
  return informers.containers.cache.byIndex(BY_DRAINED_FROM, metadata.name);
}

/** A container that is only a guest here, while its own host is in maintenance, goes back to that one. */
function homeOf({ informers }: ControllerDeps, { container }: Relocation, node: Node): string {
  const { drainedFrom } = container.status ?? {};
  const home = drainedFrom === undefined ? undefined : informers.nodes.cache.get(drainedFrom);
  return home !== undefined && isAtWork(home) ? home.metadata.name : node.metadata.name;
}

/** Each is tried, whatever becomes of the others: what is counted as begun has to begin. */
async function allOf(acts: readonly (() => Promise<void>)[]): Promise<void> {
  await inParallel(acts, (act) => act());
}

type Marks = Pick<ContainerStatus, 'stoppedFor' | 'drainedFrom'>;

async function mark(
  { store }: ControllerDeps,
  container: Container,
  marks: { [Name in keyof Marks]?: Marks[Name] | undefined },
  signal: AbortSignal,
): Promise<void> {
  const entries = Object.entries({ ...container.status, ...marks });
  const status = Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as ContainerStatus;
  await writeStatus({ store, ref: containerKind }, container, status, signal);
}

async function say(
  { store, clock, events, logger }: ControllerDeps,
  node: Node,
  phase: DrainPhase,
  counts: DrainCounts,
  signal: AbortSignal,
): Promise<void> {
  const status = drainNodeStatus(node, phase, counts, timeStamp(clock));
  await writeStatus({ store, ref: nodeKind }, node, status, signal);
  const { conditions } = node.status ?? {};
  const reasonOf = (all: typeof conditions) => all?.find(({ type }) => type === 'Drained');
  const [before, now] = [reasonOf(conditions), reasonOf(status.conditions)];
  if (now === undefined || before?.reason === now.reason) return;
  const type = now.reason === 'Blocked' ? 'Warning' : 'Normal';
  events.record(referenceTo(node), type, now.reason, now.message);
  logger.info({ node: node.metadata.name, phase, reason: now.reason, moved: counts.moved }, 'drain goes on');
}
