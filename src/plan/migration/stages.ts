import { findCondition, setCondition } from '../../crds/conditions.ts';
import type { Container, ContainerMigration, ContainerStatus, FailoverPolicy } from '../../crds/container.ts';
import type { Migration } from '../../crds/migration.ts';
import { isToRun } from '../lifecycle/power.ts';
import { withoutClaim } from './claim.ts';

/**
 * The writes to a Container that a migration consists of, as its status after each of them. A new epoch goes with each that
 * changes who may start it: what a node has seen under an older one is void.
 */

/** A node that it is placed on. */
export interface Seat {
  node: string;
  /** The present term of its lease. */
  term: number;
  failover: FailoverPolicy;
}

/** Nothing changes for the container, but no other migration can have it, and room is kept on the target. */
export function claimedStatus(container: Container, claim: ContainerMigration): ContainerStatus {
  return { ...container.status, migration: claim };
}

/** The source is to stop it, and not to start it again. */
export function heldStatus(container: Container, claim: ContainerMigration, now: string): ContainerStatus {
  const ended = endedAs(container);
  const migration: ContainerMigration = {
    ...claim,
    stage: 'Held',
    ...(ended === undefined ? {} : { ended }),
  };
  const status = withEpoch(container, { migration });
  return away(status, container, now);
}

/** Placed on the target, which takes it over while it runs; the source goes on with what runs. */
export function liveStatus(
  container: Container,
  claim: ContainerMigration,
  { node, term, failover }: Seat,
  now: string,
): ContainerStatus {
  const migration: ContainerMigration = { ...claim, stage: 'Live' };
  return away(withEpoch(container, { nodeName: node, term, failover, migration }), container, now);
}

/** Placed on the target for good. */
export function switchedStatus(
  container: Container,
  claim: ContainerMigration,
  { node, term, failover }: Seat,
  now: string,
): ContainerStatus {
  const migration: ContainerMigration = { ...claim, stage: 'Switched' };
  const {
    lostFrom: _lostFrom,
    stoppedFor: _stoppedFor,
    ...kept
  } = withEpoch(container, {
    nodeName: node,
    term,
    failover,
    migration,
  });
  return away(placed(kept, container, claim, now), container, now);
}

/** The live pass has succeeded: from now on the target treats it as any other. */
export function arrivedLiveStatus(
  container: Container,
  claim: ContainerMigration,
  now: string,
): ContainerStatus {
  const status: ContainerStatus = { ...container.status, migration: { ...claim, stage: 'Switched' } };
  return placed(status, container, claim, now);
}

/** Placed on the source again. @param stage absent: the migration gives it up */
export function returnedStatus(
  container: Container,
  claim: ContainerMigration,
  { seat, stage, now }: { seat: Seat; stage?: 'Copying'; now: string },
): ContainerStatus {
  const { node, term, failover } = seat;
  const status = withEpoch(container, { nodeName: node, term, failover });
  const back = stage === undefined ? withoutClaim(status) : { ...status, migration: { ...claim, stage } };
  return away(back, container, now, 'Goes on where it was');
}

/** Given up. An epoch of its own takes back that it was held. */
export function releasedStatus(container: Container, claim: ContainerMigration): ContainerStatus {
  const status = claim.stage === 'Held' ? withEpoch(container, {}) : (container.status ?? {});
  return withoutClaim(status);
}

/**
 * Whether the node that it was switched over to has it as its spec wants it. What has ended there by itself has run there, also
 * when it was too short for anybody to see it; the switch made the reason another one.
 */
export function hasArrived(container: Container): boolean {
  const { phase, conditions } = container.status ?? {};
  if (!isToRun(container)) return phase === 'Stopped';
  return phase === 'Running' || END_REASONS.has(findCondition(conditions, 'Ready')?.reason);
}

const END_REASONS: ReadonlySet<string | undefined> = new Set(['Ended', 'Error', 'BackOff']);

/** That a run is over for good is not forgotten on the way: else it would be run once more for a move. */
function endedAs(container: Container): ContainerMigration['ended'] {
  const reason = findCondition(container.status?.conditions, 'Ready')?.reason;
  return isToRun(container) && (reason === 'Ended' || reason === 'Error') ? reason : undefined;
}

/** The claim that `migration` makes. */
export function newClaim(
  { metadata: { name, uid = '' } }: Migration,
  { source, target, transfer }: Pick<ContainerMigration, 'source' | 'target' | 'transfer'>,
): ContainerMigration {
  return { name, uid, source, target, stage: 'Copying', transfer };
}

/** The condition names the node that it is on now. */
function placed(
  status: ContainerStatus,
  { metadata: { generation } }: Container,
  { source, target }: ContainerMigration,
  now: string,
): ContainerStatus {
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const message = `Moved from ${source} to ${target}`;
  const scheduled = { type: 'Scheduled', status: 'True', reason: 'Migrated', message, ...observed } as const;
  return { ...status, conditions: setCondition(status.conditions, scheduled, now) };
}

function withEpoch(container: Container, changes: Partial<ContainerStatus>): ContainerStatus {
  return { ...container.status, ...changes, epoch: (container.status?.epoch ?? 0) + 1 };
}

/** Whoever has it next says the phase anew; an end that a record of an earlier one shows is none by itself. */
function away(
  status: ContainerStatus,
  { metadata: { generation } }: Container,
  now: string,
  message = 'It is moved to another node',
): ContainerStatus {
  const { startedAt: _startedAt, addresses: _addresses, ...kept } = status;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const ready = { type: 'Ready', status: 'False', reason: 'Migrating', message, ...observed } as const;
  return { ...kept, phase: 'Migrating', conditions: setCondition(status.conditions, ready, now) };
}
