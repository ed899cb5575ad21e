import { type ClusterPolicy, clusterPolicyFaults } from '../../crds/cluster-policy.ts';
import { leaseTimingMs } from '../../crds/lease-timing.ts';
import { matchesLabels } from '../scheduling/labels.ts';
import { defaultTiming, type FailoverTiming, timingFrom } from './timing.ts';

/** What the cluster's policy wants of the lease of one node. */
export interface LeasePolicy {
  timing: FailoverTiming;
  /** Of `spec.nodeClasses`; undefined: none selects the node. */
  nodeClass: string | undefined;
}

/**
 * @param policy undefined: there is none
 * @param labels of the Node
 * @returns undefined when the policy breaks its rules: then everything stays as it is
 */
export function leasePolicyOf(
  policy: ClusterPolicy | undefined,
  labels: Readonly<Record<string, string>>,
): LeasePolicy | undefined {
  if (policy === undefined) return { timing: defaultTiming, nodeClass: undefined };
  if (clusterPolicyFaults(policy).length > 0) return undefined;
  const { nodeClasses = [], nodeLease } = policy.spec;
  const found = nodeClasses.find(({ nodeSelector }) => matchesLabels(labels, nodeSelector));
  const ms = leaseTimingMs(found === undefined ? nodeLease : found.nodeLease);
  return ms === undefined ? undefined : { timing: timingFrom(ms), nodeClass: found?.name };
}

/**
 * What follows from timings that differ: in an outage a node lives on by the word of its peers, which count as cut off only
 * after three of their own `renew` and their margin. Whose lease runs out before that stops what may be recovered elsewhere.
 * @returns in words; empty when no outage of the control plane stops anything
 */
export function outageCautions({ spec: { nodeLease, nodeClasses = [] } }: ClusterPolicy): string[] {
  const groups = [
    { name: 'nodes of no class', ms: leaseTimingMs(nodeLease) },
    ...nodeClasses.map((one) => ({ name: `nodes of class ${one.name}`, ms: leaseTimingMs(one.nodeLease) })),
  ];
  return groups.flatMap(({ name, ms }) => {
    if (ms === undefined) return [];
    const timing = timingFrom(ms);
    const slower = groups.filter(
      (other) => other.ms !== undefined && !outlives(timing, timingFrom(other.ms)),
    );
    const names = slower.map((other) => other.name).join(' or ');
    return names === '' ? [] : [`${name} stop what may be recovered elsewhere where most are ${names}`];
  });
}

/** Whether the lease of a node with `timing` lasts until peers with `others` count as cut off. */
function outlives(timing: FailoverTiming, others: FailoverTiming): boolean {
  const cutOffAfterMs = others.renewMs + others.suspectAfterMs + others.witnessMarginMs;
  return timing.durationMs > timing.renewMs + cutOffAfterMs;
}
