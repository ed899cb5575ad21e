import type { Toleration } from '../../crds/container.ts';
import { bytesOf } from '../../crds/quantity.ts';
import type { StoragePool } from '../../crds/storage-pool.ts';
import type { Admission } from './facts.ts';
import { type MatchLabels, matchesLabels } from './labels.ts';
import type { NodeFacts } from './node-facts.ts';
import type { Requests } from './requests.ts';
import { FLAPPING, isTolerated, UNSCHEDULABLE_TAINT } from './tolerations.ts';
import { countAt, type SpreadRule, type TopologyRules } from './topology.ts';
import type { Usage } from './usage.ts';

/** One container's question to every node, with all that is the same for each of them worked out once. */
export interface Query {
  readonly requests: Requests;
  readonly nodeSelector: MatchLabels;
  readonly tolerations: readonly Toleration[];
  /** Undefined: no pin. */
  readonly pinnedNode: string | undefined;
  readonly isPinnedNodeKnown: boolean;
  /** Of the root. */
  readonly poolName: string;
  /** Of the root, then of the volumes. */
  readonly pools: readonly AskedPool[];
  readonly topology: TopologyRules;
  readonly usage: Usage;
  readonly admission: Admission;
}

/** A pool that the container asks for. */
export interface AskedPool {
  readonly name: string;
  /** Undefined: there is none of that name. */
  readonly pool: StoragePool | undefined;
  readonly isForVolumes: boolean;
}

/** @returns why `node` cannot take the container, as the condition says it after a count; undefined when it can */
type Filter = (query: Query, node: NodeFacts) => string | undefined;

/**
 * What does not depend on other containers, in order: first what the container's author excluded (pin, selector), then the
 * state of the node, then the pool. A node counts under the first of all filters that refuses it.
 */
export const nodeFilters: readonly Filter[] = [
  ({ pinnedNode, isPinnedNodeKnown }, node) => {
    if (pinnedNode === undefined || pinnedNode === node.name) return undefined;
    return `not the pinned node ${pinnedNode}${isPinnedNodeKnown ? '' : ' (there is no such node)'}`;
  },
  ({ nodeSelector }, node) =>
    matchesLabels(node.labels, nodeSelector) ? undefined : 'did not match the node selector',
  (_, node) => (node.isDeleting ? 'being deleted' : undefined),
  (_, node) => (node.isReady ? undefined : 'not ready'),
  ({ tolerations }, node) =>
    node.isFlapping && !isTolerated(FLAPPING, tolerations) ? 'flapping' : undefined,
  ({ admission }, node) => admission(node.name),
  (_, node) => (node.isInMaintenance ? 'in maintenance' : undefined),
  ({ tolerations }, node) =>
    node.isUnschedulable && !isTolerated(UNSCHEDULABLE_TAINT, tolerations) ? 'unschedulable' : undefined,
  ({ tolerations }, node) => {
    const taint = node.hardTaints.find((candidate) => !isTolerated(candidate, tolerations));
    return taint === undefined ? undefined : `had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
  },
  poolsFault,
];

/** What depends on the containers that are there already: room, then neighbours. */
export const roomFilters: readonly Filter[] = [
  ({ requests, usage }, node) =>
    exceeds(requests.milliCpu, usage.on(node.name).milliCpu, node.milliCpu) ? 'Insufficient cpu' : undefined,
  ({ requests, usage }, node) =>
    exceeds(requests.memoryBytes, usage.on(node.name).memoryBytes, node.memoryBytes)
      ? 'Insufficient memory'
      : undefined,
  ({ requests, poolName, usage }, node) => {
    const total = node.pools.get(poolName)?.total;
    // A pool whose driver cannot tell its size has no limit to hold requests against.
    if (total === undefined) return undefined;
    const used = usage.on(node.name).diskBytes.get(poolName) ?? 0;
    return exceeds(requests.diskBytes, used, bytesOf(total))
      ? `Insufficient disk in storage pool ${poolName}`
      : undefined;
  },
  ({ topology }, node) =>
    topology.keptApart.some((rule) => countAt(rule, node) > 0) ? 'did not match anti-affinity' : undefined,
];

/** @param least fewest containers in any eligible domain of `rule` */
export function spreadFault(rule: SpreadRule, least: number, node: NodeFacts): string | undefined {
  if (node.labels[rule.topologyKey] === undefined) return `had no label ${rule.topologyKey} to spread over`;
  return countAt(rule, node) + rule.self - least > rule.maxSkew ? 'did not match the spread' : undefined;
}

function poolsFault({ pools }: Query, node: NodeFacts): string | undefined {
  for (const asked of pools) {
    const fault = poolFault(asked, node);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function poolFault({ name: poolName, pool, isForVolumes }: AskedPool, node: NodeFacts): string | undefined {
  if (pool === undefined) return `storage pool ${poolName} not found`;
  if (pool.metadata.deletionTimestamp !== undefined) return `storage pool ${poolName} being deleted`;
  if (isForVolumes && pool.spec.driver !== 'dir') {
    return `storage pool ${poolName} of driver ${pool.spec.driver}, on which volumes cannot be`;
  }
  const there = node.pools.get(poolName);
  if (there === undefined || !matchesLabels(node.labels, pool.spec.nodeSelector)) {
    return `without storage pool ${poolName}`;
  }
  const isOfThisPool = there.poolUid === undefined || there.poolUid === pool.metadata.uid;
  return there.ready && isOfThisPool ? undefined : `storage pool ${poolName} not ready`;
}

/** Who asks for nothing always fits, also where more is taken than there is (a host that has shrunk). */
function exceeds(asked: number, used: number, total: number): boolean {
  return asked > 0 && used + asked > total;
}
