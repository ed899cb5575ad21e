import type { Container, FailoverPolicy } from '../../crds/container.ts';
import type { StoragePool } from '../../crds/storage-pool.ts';
import { rootPoolOf } from '../scheduling/requests.ts';

/** What would become of a container if its host were lost. */
export interface Failover {
  /** Whether it may be placed elsewhere. Then, and only then, it runs under the term and the deadline of its node's lease. */
  eligible: boolean;
  /** How: with its data, or anew from the image. `Stay` when it is not eligible. */
  how: FailoverPolicy;
  /** Why it is not eligible, in words. */
  reason?: string;
}

/** By name: a map of StoragePools will do. */
interface Pools {
  get(name: string): { spec: Pick<StoragePool['spec'], 'access'> } | undefined;
}
type Subject = Pick<Container, 'metadata' | 'spec' | 'status'>;

/**
 * What `spec` asks for, as far as the pools allow it; used by leader and agent alike. A pool that is not known is not shared.
 *
 * It says what is *wanted*. What holds at this moment is `status.failover` (see `isGuarded`), since a node that is cut
 * off may not have heard of a change of the spec.
 * @param pools by name
 */
export function failoverOf(container: Subject, pools: Pools): Failover {
  const stay = (reason: string): Failover => ({ eligible: false, how: 'Stay', reason });
  const { spec } = container;
  const policy = spec.failover?.policy ?? 'Recover';
  if (policy === 'Stay') return stay('spec.failover.policy is Stay');
  const pin = spec.placement?.nodeName;
  if (pin !== undefined && pin !== '') return stay(`spec.placement.nodeName pins it to ${pin}`);
  const isShared = (pool: string): boolean => pools.get(pool)?.spec.access === 'Shared';
  const rootPool = rootPoolOf(container);
  if (policy === 'Recover' && !isShared(rootPool)) {
    return stay(`its root is on storage pool ${rootPool}, which only its host has`);
  }
  const own = spec.volumes?.find(({ pool }) => !isShared(pool));
  if (own !== undefined)
    return stay(`its volume ${own.name} is on storage pool ${own.pool}, which only its host has`);
  return { eligible: true, how: policy };
}

/**
 * What leader and node have agreed on. The leader sets `status.failover` with each placement; from then on only the
 * node's agent changes it: to Recover or Recreate once its guard has the container on its list, and to Stay *before* the
 * guard forgets it. So what this says is guarded is guarded, however old the leader's or the agent's view of the spec is.
 * @returns whether the container stops at the deadline of its node's lease
 */
export function isGuarded(container: Pick<Container, 'status'>): boolean {
  const how = container.status?.failover;
  return how === 'Recover' || how === 'Recreate';
}

/**
 * Whether the leader may place it elsewhere once its node is fenced: wanted, and agreed on with the node. One that is being
 * deleted goes elsewhere only where there is something to remove: the node that gets it deals with its files.
 */
export function isMovable(container: Subject, pools: Pools): boolean {
  const isDeleting = container.metadata.deletionTimestamp !== undefined;
  const isDone = isDeleting && !hasSharedData(container, pools);
  return !isDone && isGuarded(container) && failoverOf(container, pools).eligible;
}

/**
 * Whether a container that is being deleted may be let go without its host: what proves the host fenced proves that this one
 * has stopped, and nothing of it is anywhere else. What is left of it on the host is removed when that is back.
 * @param by the proof, as the lease says it
 */
export function mayLetGo(container: Subject, pools: Pools, by: string): boolean {
  const { deletionTimestamp } = container.metadata;
  if (deletionTimestamp === undefined || hasSharedData(container, pools)) return false;
  // The guard stops what is on its list alone; an operator or a device speaks for the whole host.
  return isGuarded(container) || !by.startsWith('LeaseExpired');
}

function hasSharedData(container: Subject, pools: Pools): boolean {
  const names = [rootPoolOf(container), ...(container.spec.volumes ?? []).map(({ pool }) => pool)];
  return names.some((name) => pools.get(name)?.spec.access === 'Shared');
}
