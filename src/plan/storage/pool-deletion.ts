import type { ConditionUpdate } from '../../crds/conditions.ts';
import { isUnheard } from '../failover/node-conditions.ts';
import { entryOf, isSelected, listNames, type PoolFacts } from './pool-status.ts';

/**
 * What holds a StoragePool that is being deleted. In order: containers whose root is on it (the embedded API refuses the
 * delete even before, other Kubernetes do not); then, where the policy is Delete, every node that has it, until its agent
 * reports that the pool is gone. A node that is not heard of proves nothing: it is waited for, until it is back or its Node
 * object is deleted. With Retain the pools stay on the hosts and nothing is waited for.
 */
export type PoolDeletion = { done: true } | { done: false; condition: ConditionUpdate };

/** @param facts of a pool with a deletionTimestamp */
export function planPoolDeletion(facts: PoolFacts): PoolDeletion {
  const { pool, nodes, containers } = facts;
  if (containers.length > 0) {
    return hold(facts, 'InUse', `Named by ${counted(containers.length)}: ${listNames(containers)}`);
  }
  if ((pool.spec.reclaimPolicy ?? 'Retain') === 'Retain') return { done: true };
  // Nodes that are no longer selected count too, as long as they report it.
  const holding = nodes.filter((node) => entryOf(pool, node) !== undefined);
  const silent = nodes.filter(
    (node) => isUnheard(node) && (isSelected(pool, node) || holding.includes(node)),
  );
  if (holding.length === 0 && silent.length === 0) return { done: true };
  const names = [...new Set([...holding, ...silent])].map(({ metadata }) => metadata.name).sort();
  const unheard = silent.length === 0 ? '' : ` (nothing is heard of ${listNames(silent.map(nameOf).sort())})`;
  return hold(facts, 'Removing', `Waits for the agents to remove it from ${listNames(names)}${unheard}`);
}

function hold({ pool }: PoolFacts, reason: string, message: string): PoolDeletion {
  const { generation } = pool.metadata;
  return {
    done: false,
    condition: {
      type: 'Terminating',
      status: 'True',
      reason,
      message,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    },
  };
}

function counted(containers: number): string {
  return containers === 1 ? '1 container' : `${containers} containers`;
}

function nameOf({ metadata }: { metadata: { name: string } }): string {
  return metadata.name;
}
