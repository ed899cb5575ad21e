import { CLUSTER_POLICY_NAME } from '../crds/cluster-policy.ts';
import { type Container, containerKind } from '../crds/container.ts';
import { type Migration, migrationKind, type MigrationMode } from '../crds/migration.ts';
import { keyOf, referenceTo } from '../crds/object.ts';
import type { Relocation } from '../plan/drain/drain.ts';
import { createDisruptions } from '../plan/relocation/budgets.ts';
import { type Cause, CAUSE_LABEL, failureOf, migrationFor } from '../plan/relocation/cause.ts';
import type { RelocationFacts } from '../plan/relocation/judge.ts';
import { createMoveLimits } from '../plan/relocation/limits.ts';
import {
  type ActiveMoves,
  activeMoves,
  type AssumedMove,
  containerKeyOf,
  isFinished,
} from '../plan/relocation/moves.ts';
import { createRoom } from '../plan/relocation/room.ts';
import { sleep } from '../ports/clock.ts';
import { hasCode, messageOf } from '../ports/errors.ts';
import { listAll } from '../reconcile/list-all.ts';
import { writeStatus } from '../reconcile/status.ts';
import type { ControllerDeps } from './deps.ts';
import { BY_CONTAINER } from './informers.ts';

/**
 * The Migrations that controllers make by themselves, to empty, refill or relieve nodes: in one place, so that all of them
 * keep the same budgets and limits together. What was asked for counts at once, until the cache shows it. The migrations
 * themselves are the migration controller's.
 */
export interface Relocations {
  /** Resolves when it is known what earlier leaders have asked for; nothing is to be decided before. */
  ready(signal: AbortSignal): Promise<void>;
  moves(): ActiveMoves;
  /** What a round of decisions about moves for `cause` looks at. To be made for each round anew. */
  facts(cause: Cause): RelocationFacts;
  historyOf(container: Container): readonly Migration[];
  /** Milliseconds since a migration ended; 0 when that is not known. */
  sinceEndMs(migration: Migration): number;
  /** How many migrations of this kind were made in the last so many milliseconds. */
  recent(kind: Cause['kind'], windowMs: number): number;
  /** Whether something that was asked for has not been seen yet: it may not be there, and is to be looked for again. */
  hasUnseen(): boolean;
  /** Counts the moves from now on; to be called without a break after the decision. */
  assume(moves: readonly Relocation[], cause: Cause): void;
  /** Makes the Migration of an assumed move. @throws whatever the API says; it is decided about anew then */
  begin(move: Relocation, wish: MoveWish, signal: AbortSignal): Promise<void>;
}

export interface MoveWish {
  cause: Cause;
  mode: MigrationMode | undefined;
  /** For the Event. */
  why: string;
  /** The node to which it is to go back one day. */
  home?: string;
}

interface Assumed extends AssumedMove {
  kind: Cause['kind'];
  untilMs: number;
  /** Of the Migrations that there were when it was decided. */
  known: ReadonlySet<string>;
}

interface State {
  deps: ControllerDeps;
  assumed: Map<string, Assumed>;
}

/** No cache lags that long. */
const ASSUMED_MS = 10_000;
const RETRY_MS = 500;

export function createRelocations(deps: ControllerDeps): Relocations {
  const state: State = { deps, assumed: new Map() };
  let loading: Promise<void> | undefined;
  return {
    ready: (signal) => (loading ??= assumeEarlier(state, signal)),
    moves: () => movesNow(state),
    facts: (cause) => factsNow(state, cause),
    historyOf: (container) => historyOf(deps, container),
    sinceEndMs: (migration) => sinceEndMs(deps, migration),
    recent: (kind, windowMs) => recent(state, kind, windowMs),
    hasUnseen: () => state.assumed.size > 0,
    assume(moves, cause) {
      for (const { container, target } of moves) {
        const key = keyOf(container);
        const known = new Set(historyOf(deps, container).map(keyOf));
        const untilMs = deps.clock.monotonicMs() + ASSUMED_MS;
        const source = container.status?.nodeName ?? '';
        state.assumed.set(key, { key, source, target, kind: cause.kind, untilMs, known });
      }
    },
    begin: (move, wish, signal) => begin(state, move, wish, signal),
  };
}

function historyOf({ informers }: ControllerDeps, container: Container): readonly Migration[] {
  return informers.migrations.cache.byIndex(BY_CONTAINER, keyOf(container));
}

function sinceEndMs({ clock }: ControllerDeps, { status }: Migration): number {
  const endedMs = Date.parse(status?.completedAt ?? '');
  return Number.isNaN(endedMs) ? 0 : Math.max(0, clock.nowMs() - endedMs);
}

function movesNow({ deps, assumed }: State): ActiveMoves {
  const { containers, migrations } = deps.informers;
  const nowMs = deps.clock.monotonicMs();
  for (const [key, { untilMs, known }] of assumed) {
    const isShown = migrations.cache.byIndex(BY_CONTAINER, key).some((one) => !known.has(keyOf(one)));
    if (isShown || nowMs >= untilMs) assumed.delete(key);
  }
  return activeMoves(containers.cache.list(), migrations.cache.list(), assumed.values());
}

function recent(state: State, kind: Cause['kind'], windowMs: number): number {
  const { informers, clock } = state.deps;
  movesNow(state);
  const made = informers.migrations.cache
    .list()
    .filter(
      ({ metadata }) =>
        metadata.labels?.[CAUSE_LABEL] === kind &&
        clock.nowMs() - Date.parse(metadata.creationTimestamp ?? '') < windowMs,
    );
  return made.length + [...state.assumed.values()].filter((one) => one.kind === kind).length;
}

function factsNow(state: State, cause: Cause): RelocationFacts {
  const { informers, leases } = state.deps;
  const containers = informers.containers.cache.list();
  const moves = movesNow(state);
  const policy = informers.policies.cache.get(CLUSTER_POLICY_NAME)?.spec.migration;
  const limits = createMoveLimits(policy, moves.values());
  const observed = { nodes: informers.nodes.cache.list(), pools: informers.pools.cache.list(), containers };
  return {
    moves,
    limits,
    disruptions: createDisruptions(informers.budgets.cache.list(), containers, moves),
    room: createRoom(observed, moves, {
      lasting: (node) => (leases.isFresh(node) ? undefined : 'not renewing its lease'),
      mayEnter: (node) => limits.mayEnter(node),
    }),
    failureOf: (container) =>
      failureOf(historyOf(state.deps, container), cause, (one) => sinceEndMs(state.deps, one)),
  };
}

async function begin(
  { deps, assumed }: State,
  { container, target }: Relocation,
  { cause, mode, why, home }: MoveWish,
  signal: AbortSignal,
): Promise<void> {
  const { store, events, logger } = deps;
  const migration = migrationFor(container, historyOf(deps, container), { cause, target, mode });
  try {
    if (home !== undefined) await remember(deps, container, home, signal);
    await store.create(migrationKind, migration, signal);
  } catch (error) {
    // Another leader's, or our own whose answer was lost: it is there, and the cache will show it.
    if (hasCode(error, 'AlreadyExists')) return;
    if (!hasCode(error, 'Timeout', 'Unavailable', 'Aborted', 'Internal')) assumed.delete(keyOf(container));
    throw error;
  }
  const message = `Moves to ${target}: ${why} (Migration ${migration.metadata.name})`;
  events.record(referenceTo(container), 'Normal', 'Relocating', message);
  logger.info({ key: keyOf(container), target, cause: cause.kind, node: cause.node }, 'container relocated');
}

/** Before anything moves, so that nobody has to guess afterwards where it came from. */
async function remember(
  { store }: ControllerDeps,
  container: Container,
  home: string,
  signal: AbortSignal,
): Promise<void> {
  const status = { ...container.status, drainedFrom: home };
  await writeStatus({ store, ref: containerKind }, container, status, signal);
}

/** By a fresh read: of what the leader before has asked for just now a cache that lags may know nothing. */
async function assumeEarlier({ deps, assumed }: State, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const { items } = await listAll<Migration>(deps.store, migrationKind, {}, signal);
      for (const migration of items) {
        if (isFinished(migration)) continue;
        const key = containerKeyOf(migration);
        const placedOn = deps.informers.containers.cache.get(key)?.status?.nodeName;
        const source = migration.status?.source ?? placedOn ?? '';
        const target = migration.status?.target ?? migration.spec.targetNode;
        const untilMs = deps.clock.monotonicMs() + ASSUMED_MS;
        const known = new Set(
          deps.informers.migrations.cache
            .byIndex(BY_CONTAINER, key)
            .map(keyOf)
            .filter((one) => one !== keyOf(migration)),
        );
        assumed.set(key, { key, source, target, kind: 'drain', untilMs, known });
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      deps.logger.warn({ error: messageOf(error) }, 'migrations cannot be listed; nothing is relocated');
      await sleep(deps.clock, RETRY_MS, signal);
    }
  }
}
