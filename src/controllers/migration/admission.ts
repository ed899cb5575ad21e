import { type Container, containerKind } from '../../crds/container.ts';
import { CLUSTER_POLICY_NAME } from '../../crds/cluster-policy.ts';
import { findCondition } from '../../crds/conditions.ts';
import { type Migration, migrationKind } from '../../crds/migration.ts';
import type { Node } from '../../crds/node.ts';
import { keyOf } from '../../crds/object.ts';
import { decideMode, type LiveAbility, type ModeDecision, type Reason } from '../../plan/migration/mode.ts';
import { isOver } from '../../plan/migration/ending.ts';
import { createMoveLimits, type MoveLimits } from '../../plan/relocation/limits.ts';
import type { ActiveMove } from '../../plan/relocation/moves.ts';
import { planPlacement } from '../../plan/scheduling/placement.ts';
import type { ControllerDeps } from '../deps.ts';

/** What becomes of a Migration that has not begun. */
export type Admission =
  | { is: 'refused'; why: Reason }
  /** Only because too many go on now. */
  | { is: 'waiting'; message: string }
  | { is: 'admitted'; container: Container; target: string; mode: Extract<ModeDecision, { mode: string }> };

/**
 * Looks whether a container can go where its Migration wants it, by a fresh read of the container. Everything after that read is
 * decided without a break, so that the caller can count it at once.
 * @param begun moves of migrations that have begun, besides this one
 */
export async function admit(
  deps: ControllerDeps,
  migration: Migration,
  begun: () => Iterable<ActiveMove>,
  signal: AbortSignal,
): Promise<Admission> {
  const { store } = deps;
  const { namespace = '' } = migration.metadata;
  const name = migration.spec.container;
  const container = await store.get<Container>(containerKind, { namespace, name }, signal);
  if (container === undefined) return refused('ContainerNotFound', `There is no container ${name}`);
  const other = await otherMigration(deps, migration, container, signal);
  if (other !== undefined)
    return refused('AlreadyMigrating', `Migration ${other} moves the container already`);
  return decide(deps, migration, container, limitsNow(deps, begun()));
}

function decide(
  deps: ControllerDeps,
  migration: Migration,
  container: Container,
  limits: MoveLimits,
): Admission {
  const { facts, informers } = deps;
  const source = container.status?.nodeName;
  const { targetNode } = migration.spec;
  if (container.metadata.deletionTimestamp !== undefined) {
    return refused('ContainerDeleted', 'The container is being deleted');
  }
  if (!source) return refused('NotPlaced', 'The container is on no node yet');
  if (targetNode === source) return refused('TargetIsSource', `The container is on ${source} already`);
  if (targetNode !== undefined && !facts.nodes.has(targetNode)) {
    return refused('NodeNotFound', `There is no node ${targetNode}`);
  }
  if (facts.nodes.get(source)?.isReady !== true) {
    return refused('SourceNotReady', `Node ${source}, on which it is, is not ready`);
  }
  const found = findTarget(deps, container, { source, targetNode, limits });
  if (!('node' in found)) return found;
  const abilityOf = (node: string) => ({ name: node, ability: liveAbility(informers.nodes.cache.get(node)) });
  const mode = decideMode({
    migration,
    container,
    pools: facts.pools,
    source: abilityOf(source),
    target: abilityOf(found.node),
  });
  if ('refused' in mode) return { is: 'refused', why: mode.refused };
  if (
    mode.transfer === 'Copy' &&
    informers.nodes.cache.get(source)?.status?.migration?.address === undefined
  ) {
    return refused('SourceUnreachable', `The daemon of node ${source} listens for no other host`);
  }
  return { is: 'admitted', container, target: found.node, mode };
}

function findTarget(
  { facts, informers }: ControllerDeps,
  container: Container,
  { source, targetNode, limits }: { source: string; targetNode: string | undefined; limits: MoveLimits },
): { node: string } | Exclude<Admission, { is: 'admitted' }> {
  const makeOf = (node: string): string => {
    const { runtime = '', architecture = '' } = informers.nodes.cache.get(node)?.status?.nodeInfo ?? {};
    return `${runtime} ${architecture}`;
  };
  const ask = (heedsLimits: boolean) =>
    planPlacement(container, facts, (node) => {
      if (node === source) return 'where it is now';
      if (targetNode !== undefined && node !== targetNode) return `not ${targetNode}`;
      if (makeOf(node) !== makeOf(source)) return 'of another runtime or architecture';
      return heedsLimits && !limits.mayEnter(node) ? 'that take in as many as they may' : undefined;
    });
  facts.removeContainer(keyOf(container));
  try {
    const now = ask(true);
    const later = now.fits ? now : ask(false);
    if (!later.fits) return refused('NoTarget', later.message);
    if (!now.fits || !limits.mayLeave(source)) {
      return { is: 'waiting', message: 'As many migrations go on as the limits allow' };
    }
    return { node: now.node };
  } finally {
    facts.setContainer(container);
  }
}

function limitsNow({ informers }: ControllerDeps, begun: Iterable<ActiveMove>): MoveLimits {
  return createMoveLimits(informers.policies.cache.get(CLUSTER_POLICY_NAME)?.spec.migration, begun);
}

/** @returns the name of another Migration that has the container and is not over */
async function otherMigration(
  { store }: ControllerDeps,
  { metadata }: Migration,
  container: Container,
  signal: AbortSignal,
): Promise<string | undefined> {
  const claim = container.status?.migration;
  if (claim === undefined || claim.uid === metadata.uid) return undefined;
  const { namespace = '' } = metadata;
  const holder = await store.get<Migration>(migrationKind, { namespace, name: claim.name }, signal);
  const isItsOwn = holder?.metadata.uid === claim.uid;
  return isItsOwn && isOver(holder.status ?? {}) ? `${claim.name} (which is being settled)` : claim.name;
}

function liveAbility(node: Node | undefined): LiveAbility | undefined {
  return node?.status?.migration;
}

/** For people: how it goes, and why not as it was to. */
export function tellBegun(
  { status }: Migration,
  { mode: { mode, transfer, whyCold } }: Extract<Admission, { is: 'admitted' }>,
): string {
  const how =
    transfer === 'Shared' ? `${mode.toLowerCase()}, its root is on shared storage` : mode.toLowerCase();
  const why = whyCold === undefined ? '' : `, since it cannot go live: ${whyCold.message}`;
  return `Goes from ${status?.source} to ${status?.target}, ${how}${why}`;
}

/** For people: what its condition Live says. */
export function tellCold({ status }: Migration): string {
  return `It goes on cold: ${findCondition(status?.conditions, 'Live')?.message ?? ''}`;
}

function refused(reason: string, message: string): { is: 'refused'; why: Reason } {
  return { is: 'refused', why: { reason, message } };
}
