import { findCondition, isConditionTrue } from '../../crds/conditions.ts';
import { FLAPPING_TAINT, HOST_LABEL } from '../../crds/kind.ts';
import type { Node, NodePool, Taint } from '../../crds/node.ts';
import { bytesOf, milliCpu } from '../../crds/quantity.ts';
import type { MatchLabels } from './labels.ts';

/** A Node as the filters and scores want it: parsed once, however many containers look at it. */
export interface NodeFacts {
  readonly name: string;
  /** Its own, and hostler.dev/host even before the agent has set it. */
  readonly labels: MatchLabels;
  /** And its lease is not known to be lost. */
  readonly isReady: boolean;
  /** It was lost again and again. */
  readonly isFlapping: boolean;
  readonly isDeleting: boolean;
  readonly isUnschedulable: boolean;
  /** It is emptied, or is to stay empty. */
  readonly isInMaintenance: boolean;
  /** `NoSchedule`. */
  readonly hardTaints: readonly Taint[];
  /** `PreferNoSchedule`. */
  readonly softTaints: readonly Taint[];
  /** 0 until the agent has reported. */
  readonly milliCpu: number;
  readonly memoryBytes: number;
  readonly pools: ReadonlyMap<string, NodePool>;
  /** References of the images that are there already. */
  readonly images: ReadonlySet<string>;
}

export function nodeFactsOf(node: Node): NodeFacts {
  const { metadata, spec, status } = node;
  const taints = spec.taints ?? [];
  return {
    name: metadata.name,
    labels: { [HOST_LABEL]: metadata.name, ...metadata.labels },
    isReady: isConditionTrue(status?.conditions, 'Ready') && !isLost(node),
    isFlapping: status?.taints?.some(({ key }) => key === FLAPPING_TAINT) === true,
    isDeleting: metadata.deletionTimestamp !== undefined,
    isUnschedulable: spec.unschedulable === true,
    isInMaintenance: spec.maintenance === 'Drain',
    hardTaints: taints.filter((taint) => taint.effect === 'NoSchedule'),
    softTaints: taints.filter((taint) => taint.effect === 'PreferNoSchedule'),
    milliCpu: milliCpu(status?.allocatable?.cpu),
    memoryBytes: bytesOf(status?.allocatable?.memory),
    pools: new Map((status?.pools ?? []).map((pool) => [pool.name, pool])),
    images: new Set((status?.images ?? []).map((image) => image.reference)),
  };
}

function isLost({ status }: Node): boolean {
  const valid = findCondition(status?.conditions, 'LeaseValid');
  return valid !== undefined && valid.status !== 'True';
}
