import { afterEach, describe, expect, it } from '@jest/globals';
import { acceptedCondition } from '../../../src/controllers/clusterpolicy/controller.ts';
import { type ClusterPolicy, clusterPolicyKind } from '../../../src/crds/cluster-policy.ts';
import { findCondition } from '../../../src/crds/conditions.ts';
import { API_VERSION } from '../../../src/crds/kind.ts';
import { type ControllerTrial, startControllers } from '../../support/controller-trial.ts';

const policy = (spec: ClusterPolicy['spec'], name = 'cluster'): ClusterPolicy => ({
  apiVersion: API_VERSION,
  kind: 'ClusterPolicy',
  metadata: { name, generation: 1 },
  spec,
});

describe('the ClusterPolicy controller', () => {
  let trial: ControllerTrial;
  afterEach(() => trial.stop());

  const accepted = () =>
    findCondition(trial.store.all<ClusterPolicy>(clusterPolicyKind)[0]?.status?.conditions, 'Accepted');

  it('says that a policy is followed, once', async () => {
    trial = await startControllers(
      policy({ nodeLease: { renew: '400ms', duration: '2s', fenceDelay: '1s' } }),
    );
    await trial.settle(1_000);
    expect(accepted()).toMatchObject({ status: 'True', reason: 'Followed', observedGeneration: 1 });
    const { resourceVersion } = trial.store.all<ClusterPolicy>(clusterPolicyKind)[0]?.metadata ?? {};
    await trial.settle(10_000);
    expect(trial.store.all<ClusterPolicy>(clusterPolicyKind)[0]?.metadata.resourceVersion).toBe(
      resourceVersion,
    );
  });

  it('says why one that another API server let through is not followed', async () => {
    trial = await startControllers();
    expect(acceptedCondition(policy({ nodeLease: { renew: '5s', duration: '5s' } }))).toMatchObject({
      status: 'False',
      reason: 'RulesBroken',
      message: expect.stringContaining(
        'spec.nodeLease.duration: Invalid value: "5s": must be at least 5 × renew',
      ),
    });
  });

  it('says when an outage of the control plane would stop containers of nodes with a shorter lease than most', async () => {
    trial = await startControllers();
    const edge = {
      name: 'edge',
      nodeSelector: { site: 'edge' },
      nodeLease: { renew: '4s', duration: '30s', fenceDelay: '5s' },
    };
    expect(acceptedCondition(policy({ nodeClasses: [edge] })).message).toBe(
      'Agents and controllers follow it. In an outage of the control plane nodes of no class stop what may be recovered elsewhere where most are nodes of class edge',
    );
    const alike = { ...edge, nodeLease: { renew: '800ms', duration: '5s' } };
    expect(acceptedCondition(policy({ nodeClasses: [alike] })).message).toBe(
      'Agents and controllers follow it',
    );
    expect(acceptedCondition(policy({})).message).toBe('Agents and controllers follow it');
  });

  it('says that one of another name counts for nothing', async () => {
    trial = await startControllers();
    expect(acceptedCondition(policy({}, 'other'))).toMatchObject({ status: 'False', reason: 'WrongName' });
  });
});
