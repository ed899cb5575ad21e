import { DEFAULT_MIGRATION_POLICY } from '../../crds/container-migration.ts';
import type { Container } from '../../crds/container.ts';
import type { StoragePool } from '../../crds/storage-pool.ts';

/** Why something does not move, for programs and for people. */
export interface Why {
  reason: string;
  message: string;
}

interface Pools {
  get(name: string): { spec: Pick<StoragePool['spec'], 'access'> } | undefined;
}

/** Why `container` cannot leave its node whatever the others do; undefined when it can. */
export function unmovable(container: Container, pools: Pools): Why | undefined {
  const { spec } = container;
  const policy = spec.migration?.policy ?? DEFAULT_MIGRATION_POLICY;
  if (policy === 'Never') return { reason: 'PolicyNever', message: 'spec.migration.policy is Never' };
  const pin = spec.placement?.nodeName;
  if (pin !== undefined && pin !== '' && pin === container.status?.nodeName) {
    return { reason: 'Pinned', message: `spec.placement.nodeName pins it to ${pin}` };
  }
  const own = spec.volumes?.find(({ pool }) => pools.get(pool)?.spec.access !== 'Shared');
  if (own !== undefined) {
    const message = `Its volume ${own.name} is on storage pool ${own.pool}, which only its host has`;
    return { reason: 'VolumeOnNode', message };
  }
  return undefined;
}
