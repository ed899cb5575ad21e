import type { Container, ContainerMigration, ContainerStatus } from '../../crds/container.ts';
import type { Migration, MigrationStatus } from '../../crds/migration.ts';
import type { Reason } from './mode.ts';
import type { Seat } from './stages.ts';

/** What a migration is decided from, and what can be decided. */
export interface MigrationFacts {
  migration: Migration;
  /** As the cache has it; undefined: there is none. */
  container: Container | undefined;
  source: NodeSight;
  target: NodeSight;
  now: { ms: number; iso: string };
  /** Wall-clock milliseconds of the creation: to wait for a turn is a part of the whole. */
  begunMs: number;
  /** Wall-clock milliseconds of status.pauseStartedAt; undefined before. */
  pauseStartedMs?: number;
  /** Why the container, as it is wanted now, cannot leave its node; undefined: it can. */
  obstacle?: Reason;
}

/** A node, as the leader sees it. */
export interface NodeSight {
  /** Its agent is heard of, or nobody can say yet that it is not. */
  isReady: boolean;
  /** Its lease was taken away on proof that what is guarded there has stopped. */
  isFenced: boolean;
  /** For a placement there now. */
  seat: Seat;
}

export type MigrationStep =
  | { do: 'nothing'; afterMs?: number }
  /** Pending: look for a target, and claim the container or say why not. */
  | { do: 'admit' }
  | { do: 'container'; what: ContainerWrite; status: ContainerStatus }
  | { do: 'status'; status: MigrationStatus }
  /** Over, and nothing hangs on it any more: the Secret goes, then the finalizer. */
  | { do: 'letGo' };

export type ContainerWrite = 'hold' | 'live' | 'switch' | 'arrived' | 'return' | 'release';

/** What an active migration is decided from, once it has the container. */
export interface ClaimedFacts extends MigrationFacts {
  container: Container;
  claim: ContainerMigration;
}
