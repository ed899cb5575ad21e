import { type Condition, type ConditionUpdate, setCondition } from '../../crds/conditions.ts';
import type { StoragePool, StoragePoolStatus } from '../../crds/storage-pool.ts';
import type { PoolSummary } from '../../plan/storage/pool-status.ts';

/** @param parts `terminating`: what holds a pool that is being deleted; `anchor`: of a Shared one */
export function poolStatus(
  pool: StoragePool,
  { ready, ...summary }: PoolSummary,
  parts: { terminating?: ConditionUpdate | undefined; anchor?: StoragePoolStatus['anchor'] },
  now: string,
): StoragePoolStatus {
  const { terminating, anchor } = parts;
  let conditions: Condition[] = setCondition(pool.status?.conditions, ready, now);
  if (terminating !== undefined) conditions = setCondition(conditions, terminating, now);
  const { generation } = pool.metadata;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...summary,
    ...(anchor === undefined ? {} : { anchor }),
    conditions,
  };
}
