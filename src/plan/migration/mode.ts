import type { Container } from '../../crds/container.ts';
import { DEFAULT_MIGRATION_POLICY } from '../../crds/container-migration.ts';
import type { Migration, MigrationMode } from '../../crds/migration.ts';
import { isShared, type StoragePool } from '../../crds/storage-pool.ts';
import { rootPoolOf } from '../scheduling/requests.ts';

/** What of two hosts matters for a live move; undefined: the host does not say. */
export interface LiveAbility {
  live: boolean;
  reason: string;
  message: string;
}

export interface ModeFacts {
  migration: Migration;
  container: Container;
  pools: { get(name: string): StoragePool | undefined };
  source: { name: string; ability: LiveAbility | undefined };
  target: { name: string; ability: LiveAbility | undefined };
}

export type ModeDecision =
  | { mode: 'Live' | 'Cold'; transfer: 'Copy' | 'Shared'; whyCold?: Reason }
  | { refused: Reason };

export interface Reason {
  reason: string;
  message: string;
}

/** What is asked for: the Migration's own word, else the container's policy. */
export function wantedMode(
  { spec }: Pick<Migration, 'spec'>,
  container: Pick<Container, 'spec'>,
): MigrationMode | 'Never' {
  const policy = container.spec.migration?.policy ?? DEFAULT_MIGRATION_POLICY;
  return policy === 'Never' ? policy : (spec.mode ?? policy);
}

/** How the container is to move, or why it cannot. Live that is asked for outright is never replaced by anything else. */
export function decideMode(facts: ModeFacts): ModeDecision {
  const { migration, container, pools } = facts;
  const wanted = wantedMode(migration, container);
  if (wanted === 'Never') {
    return { refused: { reason: 'PolicyNever', message: 'spec.migration.policy of the container is Never' } };
  }
  const own = container.spec.volumes?.find(({ pool }) => !isOnShared(pool, pools));
  if (own !== undefined) {
    const message = `Its volume ${own.name} is on storage pool ${own.pool}, which only its host has`;
    return { refused: { reason: 'VolumeOnNode', message } };
  }
  const transfer = isOnShared(rootPoolOf(container), pools) ? 'Shared' : 'Copy';
  if (wanted === 'Cold') return { mode: 'Cold', transfer };
  const whyCold = whyNotLive(facts, transfer);
  if (whyCold === undefined) return { mode: 'Live', transfer };
  return wanted === 'Live' ? { refused: whyCold } : { mode: 'Cold', transfer, whyCold };
}

function whyNotLive(
  { container, source, target }: ModeFacts,
  transfer: 'Copy' | 'Shared',
): Reason | undefined {
  if (container.status?.phase !== 'Running')
    return { reason: 'NotRunning', message: 'The container does not run' };
  if (transfer === 'Shared') {
    return {
      reason: 'SharedRoot',
      message: 'Its root is on shared storage, where it is stopped and started',
    };
  }
  if ((container.spec.volumes ?? []).length > 0) {
    return { reason: 'Volumes', message: 'A container with volumes is stopped and started' };
  }
  for (const { name, ability } of [source, target]) {
    if (ability === undefined) {
      return {
        reason: 'LiveUnknown',
        message: `Node ${name} does not say whether it can move containers live`,
      };
    }
    if (!ability.live) return { reason: ability.reason, message: `Node ${name}: ${ability.message}` };
  }
  return undefined;
}

function isOnShared(name: string, pools: ModeFacts['pools']): boolean {
  const pool = pools.get(name);
  return pool !== undefined && isShared(pool);
}
