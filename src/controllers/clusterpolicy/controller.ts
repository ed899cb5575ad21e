import {
  CLUSTER_POLICY_NAME,
  type ClusterPolicy,
  clusterPolicyFaults,
  clusterPolicyKind,
} from '../../crds/cluster-policy.ts';
import { type ConditionUpdate, setCondition } from '../../crds/conditions.ts';
import { outageCautions } from '../../plan/failover/lease-policy.ts';
import { type Controller, createController } from '../../reconcile/controller.ts';
import { informerSource } from '../../reconcile/source.ts';
import { writeStatus } from '../../reconcile/status.ts';
import type { ControllerDeps } from '../deps.ts';
import { timeStamp } from '../time-stamp.ts';
import { untilGone } from '../until-gone.ts';

/**
 * Says of the ClusterPolicy whether it is followed. The embedded API server refuses one that breaks its rules; another
 * Kubernetes cluster takes it, and it is then left alone, by everybody, until it is mended.
 */
export function createClusterPolicyController(deps: ControllerDeps): Controller {
  const { informers, store, clock } = deps;
  return createController({
    ...deps,
    name: 'clusterpolicy',
    sources: [informerSource(informers.policies)],
    reconcile: untilGone(async (name, signal) => {
      const policy = informers.policies.cache.get(name);
      if (policy === undefined) return {};
      const { generation } = policy.metadata;
      const observed = generation === undefined ? {} : { observedGeneration: generation };
      const accepted = { ...acceptedCondition(policy), ...observed };
      const conditions = setCondition(policy.status?.conditions, accepted, timeStamp(clock));
      const status = { ...policy.status, ...observed, conditions };
      await writeStatus({ store, ref: clusterPolicyKind }, policy, status, signal);
      return {};
    }),
  });
}

/** @returns what the condition Accepted is to say */
export function acceptedCondition(policy: ClusterPolicy): ConditionUpdate {
  const refused = (reason: string, message: string): ConditionUpdate => ({
    type: 'Accepted',
    status: 'False',
    reason,
    message,
  });
  if (policy.metadata.name !== CLUSTER_POLICY_NAME) {
    return refused('WrongName', `Not followed: only the one named ${CLUSTER_POLICY_NAME} is`);
  }
  const faults = clusterPolicyFaults(policy);
  if (faults.length > 0) {
    const message = faults.map(({ field, message: what }) => `${field}: ${what}`).join('; ');
    return refused('RulesBroken', `Not followed, the one before goes on: ${message}`);
  }
  const cautions = outageCautions(policy);
  const caution = cautions.length === 0 ? '' : `. In an outage of the control plane ${cautions.join('; ')}`;
  const message = `Agents and controllers follow it${caution}`;
  return { type: 'Accepted', status: 'True', reason: 'Followed', message };
}
