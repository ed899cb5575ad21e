import { afterEach, describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { type ConfigMap, configMapRef } from '../../../src/crds/lease.ts';
import { container, node } from '../../support/cluster-objects.ts';
import { conditionOf, type FailoverTrial, placedOn, startFailover } from '../../support/failover-trial.ts';
import { startLeaseAgents } from '../../support/lease-agents.ts';

const { signal } = new AbortController();
let trial: FailoverTrial;
afterEach(() => trial.stop());

describe('the failover controller, in the long run', () => {
  it.each([
    ['goes back to the node that it was lost on while it is off', 'Auto', 'PoweredOff', 3],
    ['stays where it is unless asked to go back', 'Never', 'PoweredOff', 2],
    ['stays where it is while its agent has not said that it is off', 'Auto', 'Stopping', 2],
  ])('%s', async (_, restore, reason, epoch) => {
    const off = {
      metadata: { annotations: { 'hostler.dev/restore': restore } },
      spec: { power: 'Stopped' as const },
    };
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web', off));
    trial.agents.silent.add('a');
    await trial.run(9);
    const moved = trial.container('web');
    expect(moved.status).toMatchObject({ epoch: 2, lostFrom: 'a' });
    const ready = {
      type: 'Ready',
      status: 'False',
      reason,
      message: '',
      observedGeneration: 1,
      lastTransitionTime: '',
    };
    trial.store.seed({
      ...moved,
      status: { ...moved.status, phase: 'Stopped', conditions: [ready] },
    } as Container);
    trial.agents.silent.delete('a');
    await trial.run(20);
    expect(trial.container('web').status?.epoch).toBe(epoch);
    expect(trial.container('web').status?.nodeName === 'a').toBe(epoch === 3);
    expect(trial.container('web').status?.lostFrom).toBe(epoch === 3 ? undefined : 'a');
  });

  it('goes by priority, and no faster than the limit', async () => {
    const many = Array.from({ length: 70 }, (_, index) =>
      placedOn('a', `c${index}`, { spec: { priority: index < 5 ? 10 : 0 } }),
    );
    trial = await startFailover(['a', 'b', 'c'], ...many);
    trial.agents.silent.add('a');
    await trial.run(8.2);
    const moved = () =>
      many.filter(({ metadata }) => trial.container(metadata.name).status?.epoch === 2).length;
    expect(moved()).toBeGreaterThanOrEqual(50);
    expect(moved()).toBeLessThan(56);
    expect([0, 1, 2, 3, 4].map((index) => trial.container(`c${index}`).status?.epoch)).toEqual([
      2, 2, 2, 2, 2,
    ]);
    await trial.run(3);
    expect(moved()).toBe(70);
  });

  it('keeps new containers away from a node that is lost again and again', async () => {
    trial = await startFailover(['a', 'b', 'c']);
    for (let time = 0; time < 2; time += 1) {
      trial.agents.silent.add('a');
      await trial.run(12);
      trial.agents.silent.delete('a');
      await trial.run(12);
    }
    expect(trial.node('a').status?.taints?.map(({ key }) => key)).toEqual(['hostler.dev/flapping']);
    const pinned = container('web', { spec: { placement: { nodeName: 'a' } } });
    await trial.store.create(
      containerKind,
      { ...pinned, metadata: { name: 'web', namespace: 'default' } },
      signal,
    );
    await trial.run(1);
    expect(conditionOf(trial.container('web'), 'Scheduled')?.message).toBe(
      '0/3 nodes fit: 2 not the pinned node a, 1 flapping',
    );
    await trial.run(60);
    expect(trial.node('a').status?.taints).toBeUndefined();
    expect(trial.container('web').status?.nodeName).toBe('a');
  });

  it('adds a new node to those that count once all others use the list before', async () => {
    trial = await startFailover(['a', 'b', 'c']);
    trial.store.seed(node('d'));
    const more = startLeaseAgents(trial, ['d']);
    await trial.run(5);
    expect(trial.store.all<ConfigMap>(configMapRef)[0]?.data).toEqual({
      version: '2',
      members: '["a","b","c","d"]',
    });
    more.stop();
  });
});
