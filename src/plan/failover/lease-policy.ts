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
