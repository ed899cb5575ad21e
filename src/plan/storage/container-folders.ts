import type { Container, ContainerVolume } from '../../crds/container.ts';
import type { StoragePool } from '../../crds/storage-pool.ts';
import { isShared } from '../../crds/storage-pool.ts';
import { rootPoolOf } from '../scheduling/requests.ts';

/** Where the data of a container lies on its pools; names never have an underscore, so no two folders are the same. Pure. */

/** Every pool that the container's host must have: of the root first. */
export function poolsOf(container: Pick<Container, 'spec'>): string[] {
  const { volumes = [] } = container.spec;
  return [...new Set([rootPoolOf(container), ...volumes.map(({ pool }) => pool)])];
}

/** The daemon's pool of the one root on shared storage that is of the Container `uid`. */
export function rootPoolNameOf(uid: string): string {
  return `hostler-${uid}`;
}

/** Relative to the pool's source. A Container that is made anew has a new root. */
export function rootFolderOf({ metadata }: Pick<Container, 'metadata'>): string {
  return `roots/${metadata.namespace ?? ''}_${metadata.name}_${metadata.uid ?? ''}`;
}

/** Relative to the pool's source. A Container that is made anew under its name finds its data. */
export function volumeFolderOf(
  { metadata }: Pick<Container, 'metadata'>,
  { name }: Pick<ContainerVolume, 'name'>,
): string {
  return `volumes/${metadata.namespace ?? ''}_${metadata.name}_${name}`;
}

/** What goes with the Container: the folders on pools whose reclaimPolicy is Delete. The root only where it is shared. */
export function discardedFolders(
  container: Container,
  pools: { get(name: string): StoragePool | undefined },
): { pool: StoragePool; folder: string }[] {
  const rootPool = pools.get(rootPoolOf(container));
  const root =
    rootPool !== undefined && isShared(rootPool) ? [{ pool: rootPool, folder: rootFolderOf(container) }] : [];
  const volumes = (container.spec.volumes ?? []).flatMap((volume) => {
    const pool = pools.get(volume.pool);
    return pool === undefined ? [] : [{ pool, folder: volumeFolderOf(container, volume) }];
  });
  return [...root, ...volumes].filter(({ pool }) => pool.spec.reclaimPolicy === 'Delete');
}
