import { type Container, instanceNameOf } from '../../crds/container.ts';
import type { NodePool } from '../../crds/node.ts';
import { isShared, type StoragePool } from '../../crds/storage-pool.ts';
import { rootPoolOf } from '../../plan/scheduling/requests.ts';
import {
  discardedFolders,
  poolsOf,
  rootFolderOf,
  rootPoolNameOf,
  volumeFolderOf,
} from '../../plan/storage/container-folders.ts';
import { hasCode, HostlerError, messageOf } from '../../ports/errors.ts';
import type { HostDriver, InstanceSpec, SharedRoot, VolumeMount } from '../../ports/host-driver.ts';
import type { Logger } from '../../ports/logger.ts';
import type { HostFolders, PoolFolder } from './host-folders.ts';

/** What an instance has of its pools: where its root goes, and which folders it sees. */
export type StorageLayout = Pick<InstanceSpec, 'rootPool' | 'rootSource' | 'volumes'>;

/** The storage of single containers, on pools that are ready here; the folders that it names are there. */
export interface ContainerStorage {
  /** Idempotent. @throws Unavailable (`details.conditionReason`) while a pool is not ready, Invalid when it is of no use */
  layoutOf(container: Container, signal: AbortSignal): Promise<StorageLayout>;
  /**
   * Goes on with a root that lies on shared storage already, unless it is to be made anew. What is left there of a creation that was cut
   * short, or is to be replaced, is put aside. @returns whether the instance is there now, stopped
   */
  recover(
    container: Container,
    root: StorageLayout & { isToBeNew: boolean },
    signal: AbortSignal,
  ): Promise<boolean>;
  /** The daemon no longer knows an instance on shared storage; its files stay. */
  readonly forget: (instance: string, uid: string, signal: AbortSignal) => Promise<void>;
  /** Removes what goes with a Container that is deleted. @returns what was kept although it should have gone, and why */
  discard(container: Container, signal: AbortSignal): Promise<string | undefined>;
}

export interface ContainerStorageDeps {
  pools: { get(name: string): StoragePool | undefined };
  /** What Node.status says of a pool here. */
  readonly entryOf: (name: string) => NodePool | undefined;
  host: HostDriver;
  folders: HostFolders;
  logger: Logger;
}

export function createContainerStorage(deps: ContainerStorageDeps): ContainerStorage {
  const { pools, folders } = deps;
  const roots = createSharedRoots(deps);

  const volumeOf = async (
    container: Container,
    volume: NonNullable<Container['spec']['volumes']>[number],
    signal: AbortSignal,
  ): Promise<VolumeMount> => {
    const pool = pools.get(volume.pool) as StoragePool;
    const folder = await folderIn(deps, pool, volumeFolderOf(container, volume), signal);
    const { name, path, readOnly = false } = volume;
    return { name, source: await folders.ensure(folder), path, readOnly };
  };

  return {
    async layoutOf(container, signal) {
      const rootPool = rootPoolOf(container);
      const { volumes = [] } = container.spec;
      const root = pools.get(rootPool);
      const isRootShared = root !== undefined && isShared(root);
      // A root on a pool of the host is the daemon's business alone: it says itself what is wrong.
      const concerned = isRootShared ? poolsOf(container) : volumes.map(({ pool }) => pool);
      for (const name of concerned) requireReady(deps, name);
      const mounts: VolumeMount[] = [];
      for (const volume of volumes) mounts.push(await volumeOf(container, volume, signal));
      const seen = mounts.length === 0 ? {} : { volumes: mounts };
      if (!isRootShared) return { rootPool, ...seen };
      const rootSource = await folders.ensure(sharedFolder(root, rootFolderOf(container)));
      return { rootPool: rootPoolNameOf(container.metadata.uid ?? ''), rootSource, ...seen };
    },

    ...roots,

    async discard(container, signal) {
      const root = pools.get(rootPoolOf(container));
      if (root !== undefined && isShared(root)) {
        await roots.forget(instanceNameOf(container), container.metadata.uid ?? '', signal);
      }
      const kept: string[] = [];
      for (const { pool, folder } of discardedFolders(container, pools)) {
        try {
          requireReady(deps, pool.metadata.name);
          await folders.remove(await folderIn(deps, pool, folder, signal));
        } catch (error) {
          if (signal.aborted) throw error;
          kept.push(`${folder} on storage pool ${pool.metadata.name} (${messageOf(error)})`);
        }
      }
      return kept.length === 0 ? undefined : kept.join(', ');
    },
  };
}

function createSharedRoots({
  pools,
  host,
  folders,
  logger,
}: ContainerStorageDeps): Pick<ContainerStorage, 'recover' | 'forget'> {
  const forget: ContainerStorage['forget'] = async (name, uid, signal) => {
    const pool = rootPoolNameOf(uid);
    await host.forgetInstance({ name, uid, pool }, signal);
    try {
      await folders.unmountPool(pool);
    } catch (error) {
      // It keeps the filesystem busy, and does no other harm.
      logger.warn({ instance: name, error: messageOf(error) }, 'the root stays mounted');
    }
  };

  /** The daemon may know parts of it still, from a forgetting that was cut short: then it finds nothing new. */
  const recoverWhole = async (root: SharedRoot, signal: AbortSignal): Promise<void> => {
    try {
      await host.recoverInstance(root, signal);
    } catch (error) {
      if (!hasCode(error, 'NotFound')) throw error;
      await forget(root.name, root.uid, signal);
      await host.recoverInstance(root, signal);
    }
  };

  return {
    forget,

    async recover(container, { rootPool: pool, rootSource, isToBeNew }, signal) {
      const root = pools.get(rootPoolOf(container));
      if (rootSource === undefined || root === undefined) return false;
      const name = instanceNameOf(container);
      const { uid = '' } = container.metadata;
      const folder = sharedFolder(root, rootFolderOf(container));
      if (((await folders.list(folder)) ?? []).length === 0) return false;
      const isWhole = await folders.has(folder, `containers/${name}/backup.yaml`);
      if (isWhole && !isToBeNew) {
        await recoverWhole({ name, uid, pool, source: rootSource }, signal);
        return true;
      }
      await forget(name, uid, signal);
      const asidePath = await folders.setAside(folder);
      await folders.ensure(folder);
      logger.warn({ instance: name, asidePath }, 'a root that is not used any more is put aside');
      return false;
    },
  };
}

function requireReady({ pools, entryOf }: ContainerStorageDeps, name: string): void {
  const pool = pools.get(name);
  const entry = entryOf(name);
  if (pool !== undefined && entry?.ready === true && entry.poolUid === pool.metadata.uid) return;
  const why =
    pool === undefined ? 'there is no such StoragePool' : (entry?.message ?? 'it is not on this host');
  throw new HostlerError('Unavailable', `Storage pool ${name} is not ready: ${why}`, {
    details: { conditionReason: 'PoolNotReady' },
  });
}

async function folderIn(
  { host }: ContainerStorageDeps,
  pool: StoragePool,
  path: string,
  signal: AbortSignal,
): Promise<PoolFolder> {
  if (isShared(pool)) return sharedFolder(pool, path);
  const { name } = pool.metadata;
  const onHost = (await host.listPools(signal)).find((candidate) => candidate.name === name);
  if (onHost?.path !== undefined) return { source: onHost.path, path };
  throw new HostlerError('Invalid', `Storage pool ${name} has driver ${pool.spec.driver}: volumes want dir`, {
    details: { conditionReason: 'PoolUnsuitable' },
  });
}

function sharedFolder({ metadata, spec }: StoragePool, path: string): PoolFolder {
  return { source: spec.source ?? '', uid: metadata.uid ?? '', path };
}
