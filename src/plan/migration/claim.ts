import type { Container, ContainerMigration, ContainerStatus } from '../../crds/container.ts';
import type { Migration } from '../../crds/migration.ts';

/**
 * The claim that a Migration has on a Container: `status.migration`, in the one object that both nodes go by. It is made,
 * moved from stage to stage and given up by the leader alone, each time by one write that is conditional on the Container's
 * version; so two migrations never have one container, and of two decisions about it one fails. What either node may do
 * follows from `nodeName`, `epoch` and the stage alone (`keepsCopy`), never from the Migration: that may only keep a copy for longer.
 */
type Subject = Pick<Container, 'metadata' | 'status'>;

/** @returns undefined when the container is not, or not any more, moved by `migration` */
export function claimOf(
  migration: Pick<Migration, 'metadata'>,
  container: Subject | undefined,
): ContainerMigration | undefined {
  const claim = container?.status?.migration;
  return claim?.uid === migration.metadata.uid ? claim : undefined;
}

/** Why a node that a container is placed on leaves it alone all the same; undefined: it does not. */
export function heldBack(container: Subject): 'Held' | 'Live' | undefined {
  const stage = container.status?.migration?.stage;
  return stage === 'Held' || stage === 'Live' ? stage : undefined;
}

/**
 * Whether an instance of a container that is not placed on `node` has to stay there: the stopped copy on the source until
 * the target runs it, and the incoming copy on the target.
 * @param incoming uid of the migration that the instance is an incoming copy of; undefined: it is none
 */
export function keepsCopy(
  { status }: Pick<Container, 'status'>,
  node: string,
  incoming: string | undefined,
): boolean {
  const claim = status?.migration;
  if (claim === undefined) return false;
  if (incoming !== undefined) return claim.target === node && claim.uid === incoming;
  return claim.source === node && claim.transfer === 'Copy';
}

/** Whether what becomes of the container when its node is lost is for its migration to say: a complete copy is elsewhere. */
export function isMigrationsToSave({ status }: Pick<Container, 'status'>): boolean {
  const claim = status?.migration;
  if (claim?.transfer !== 'Copy') return false;
  return claim.stage === 'Live' || claim.stage === 'Switched';
}

/** The other node of a move, on which room is kept as well. */
export function otherNodeOf({ status }: Pick<Container, 'status'>): string | undefined {
  const claim = status?.migration;
  if (claim === undefined) return undefined;
  return status?.nodeName === claim.target ? claim.source : claim.target;
}

export function withoutClaim(status: ContainerStatus): ContainerStatus {
  const { migration: _migration, ...rest } = status;
  return rest;
}
