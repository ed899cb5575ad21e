import { afterEach, describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { FENCED_BY_ANNOTATION } from '../../../src/crds/kind.ts';
import { type ConfigMap, configMapRef } from '../../../src/crds/lease.ts';
import type { Node } from '../../../src/crds/node.ts';
import { container } from '../../support/cluster-objects.ts';
import type { ControllerTrial } from '../../support/controller-trial.ts';
import { conditionOf, type FailoverTrial, placedOn, startFailover } from '../../support/failover-trial.ts';

const { signal } = new AbortController();
let trial: FailoverTrial;
afterEach(() => trial.stop());

/** One container on each node, and room for no other. */
const startCrowded = () => {
  const big = { spec: { resources: { memory: '6Gi' } } };
  return startFailover(
    ['a', 'b', 'c'],
    placedOn('a', 'big', big),
    placedOn('b', 'b1', big),
    placedOn('c', 'c1', big),
  );
};

describe('the failover controller', () => {
  it('lets nodes in, counts them all, and then writes nothing', async () => {
    trial = await startFailover(
      ['a', 'b', 'c'],
      container('web', { spec: { failover: { policy: 'Recreate' } } }),
    );
    expect(['a', 'b', 'c'].map((name) => trial.lease(name).spec)).toMatchObject(
      ['a', 'b', 'c'].map((holderIdentity) => ({ holderIdentity, leaseTransitions: 1 })),
    );
    expect(trial.store.all<ConfigMap>(configMapRef)[0]?.data).toEqual({
      version: '1',
      members: '["a","b","c"]',
    });
    expect(trial.container('web').status).toMatchObject({ epoch: 1, term: 1, failover: 'Recreate' });
    const before = trial.store.writes().length;
    await trial.run(30);
    expect(trial.store.writes()).toHaveLength(before);
  });

  it('places what may be made anew elsewhere once duration and fenceDelay have passed, and not before', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'), {
      ...placedOn('a', 'db'),
      spec: { image: 'images:debian/12' },
    } as Container);
    trial.agents.silent.add('a');
    await trial.run(7);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'a', epoch: 1 });
    expect(conditionOf(trial.node('a'), 'Ready')?.status).toBe('Unknown');
    await trial.run(1.2);
    const { nodeName } = trial.container('web').status ?? {};
    expect(trial.container('web').status).toMatchObject({
      epoch: 2,
      term: 1,
      phase: 'Scheduled',
      failover: 'Recreate',
    });
    expect(['b', 'c']).toContain(nodeName);
    expect(conditionOf(trial.container('web'), 'Scheduled')).toMatchObject({
      status: 'True',
      reason: 'Recreated',
      message: `Node a is lost; placed on ${nodeName}`,
    });
    expect(trial.lease('a').spec).toMatchObject({ holderIdentity: '', leaseTransitions: 1 });
    expect(conditionOf(trial.node('a'), 'LeaseValid')).toMatchObject({ status: 'False', reason: 'Revoked' });
    expect(conditionOf(trial.node('a'), 'Fenced')).toMatchObject({ status: 'True', reason: 'LeaseExpired' });
    expect(trial.node('a').status?.taints?.map(({ key }) => key)).toEqual([
      'hostler.dev/not-ready',
      'hostler.dev/unreachable',
    ]);
    expect(trial.container('db').status).toMatchObject({ nodeName: 'a', epoch: 1, phase: 'Lost' });
    expect(conditionOf(trial.container('db'), 'Ready')).toMatchObject({
      status: 'Unknown',
      reason: 'NotRecoverable',
      message:
        'Node a is lost, and the container waits for it: its root is on storage pool default, which only its host has',
    });
    const before = trial.store.writes().length;
    await trial.run(30);
    await trial.changeLeader();
    await trial.run(30);
    expect(trial.store.writes()).toHaveLength(before);
  });

  it('lets a node that is back in with the next term, and gives it to what is still there', async () => {
    trial = await startCrowded();
    trial.agents.silent.add('a');
    await trial.run(9);
    expect(trial.container('big').status).toMatchObject({ nodeName: 'a', phase: 'Lost', term: 1 });
    expect(conditionOf(trial.container('big'), 'Ready')).toMatchObject({
      status: 'False',
      reason: 'NoCapacity',
      message: '0/3 nodes fit: 2 Insufficient memory, 1 not ready',
    });
    trial.agents.silent.delete('a');
    await trial.run(4);
    expect(trial.lease('a').spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 2 });
    expect(trial.container('big').status).toMatchObject({ nodeName: 'a', epoch: 1, term: 2 });
    expect(conditionOf(trial.node('a'), 'LeaseValid')?.status).toBe('True');
    expect(conditionOf(trial.node('a'), 'Fenced')?.status).toBe('False');
    expect(trial.node('a').status?.taints).toBeUndefined();
  });

  it('places what found no room as soon as there is some', async () => {
    trial = await startCrowded();
    trial.agents.silent.add('a');
    await trial.run(9);
    trial.store.seed({
      ...trial.container('c1'),
      metadata: { ...trial.container('c1').metadata, finalizers: [] },
    });
    await trial.store.delete(containerKind, { namespace: 'default', name: 'c1' }, {}, signal);
    await trial.run(2);
    expect(trial.container('big').status).toMatchObject({ nodeName: 'c', epoch: 2, phase: 'Scheduled' });
  });

  it('fences nobody by time whose guard was not armed, but goes by the word of an operator', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    trial.agents.unguarded.add('a');
    await trial.run(2);
    trial.agents.silent.add('a');
    await trial.run(60);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'a', phase: 'Lost' });
    expect(conditionOf(trial.container('web'), 'Ready')?.reason).toBe('WaitingForFence');
    expect(conditionOf(trial.node('a'), 'Fenced')).toMatchObject({
      status: 'False',
      reason: 'WaitingForFence',
      message:
        'Its containers may still run: no guard watched over them when it was last heard of. If the host is off for certain: kubectl annotate nodes.hostler.dev a hostler.dev/fenced-by=<who>',
    });
    await trial.annotate('a', 'alice');
    await trial.run(1);
    expect(trial.container('web').status).toMatchObject({ epoch: 2, phase: 'Scheduled' });
    expect(conditionOf(trial.node('a'), 'Fenced')).toMatchObject({
      status: 'True',
      reason: 'Operator',
      message: 'alice confirmed that the host is off',
    });
    trial.agents.silent.delete('a');
    await trial.run(5);
    expect(trial.node('a').metadata.annotations?.[FENCED_BY_ANNOTATION]).toBeUndefined();
    expect(trial.lease('a').spec?.leaseTransitions).toBe(2);
  });

  it.each([
    ['a guard that was not armed', ['a', 'b', 'c']],
    ['a cluster of two', ['a', 'b']],
  ])('switches the host off with %s, and goes on once the device has confirmed', async (_, names) => {
    const fencing = { exec: { command: ['/bin/fence'] } };
    trial = await startFailover(names, placedOn('a', 'web'));
    trial.store.seed({ ...trial.node('a'), spec: { fencing } } as Node);
    trial.agents.unguarded.add('a');
    await trial.run(2);
    trial.agents.silent.add('a');
    await trial.run(20);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'a', epoch: 1 });
    expect(trial.events.join()).toContain(
      'FencingFailed a: spec.fencing could not confirm that the host is off: the device does not answer',
    );
    const fenced: string[] = [];
    trial.fence = (name) => Promise.resolve(void fenced.push(name));
    await trial.run(6);
    expect(fenced).toEqual(['a']);
    expect(trial.container('web').status).toMatchObject({ epoch: 2, phase: 'Scheduled' });
    expect(conditionOf(trial.node('a'), 'Fenced')).toMatchObject({
      status: 'True',
      reason: 'Fencing',
      message: 'The host was switched off through spec.fencing.exec',
    });
  });

  it('takes the word of an operator back while the node renews, so that nobody believes it later', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    await trial.annotate('a', 'alice');
    await trial.run(12);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'a', epoch: 1 });
    expect(trial.node('a').metadata.annotations?.[FENCED_BY_ANNOTATION]).toBeUndefined();
    expect(trial.events.join()).toContain('FencedByTakenBack');
  });

  it('never fails over in a cluster of two, and says so', async () => {
    trial = await startFailover(['a', 'b'], placedOn('a', 'web'));
    trial.agents.silent.add('a');
    await trial.run(120);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'a', epoch: 1, phase: 'Lost' });
    expect(conditionOf(trial.node('a'), 'Fenced')).toMatchObject({ status: 'False', reason: 'TooFewNodes' });
    expect(conditionOf(trial.node('a'), 'Fenced')?.message).toMatch(
      /^With 2 nodes there is no majority left/,
    );
    await trial.annotate('a', 'alice');
    await trial.run(1);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'b', epoch: 2 });
  });

  it('halts while most nodes are silent, and goes on when they have been back for long enough', async () => {
    const all = ['a', 'b', 'c', 'd', 'e'];
    trial = await startFailover(all, placedOn('a', 'web'));
    for (const name of ['a', 'b', 'c']) trial.agents.silent.add(name);
    await trial.run(60);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'a', epoch: 1, phase: 'Lost' });
    expect(conditionOf(trial.container('web'), 'Ready')?.reason).toBe('StormBrake');
    expect(all.map((name) => trial.lease(name).spec?.holderIdentity)).toEqual(all);
    trial.agents.silent.delete('b');
    await trial.run(7);
    expect(trial.container('web').status?.nodeName).toBe('a');
    await trial.run(6);
    expect(trial.container('web').status).toMatchObject({ epoch: 2, phase: 'Scheduled' });
  });

  it('moves nothing when all are silent, for as long as it lasts', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    for (const name of ['a', 'b', 'c']) trial.agents.silent.add(name);
    await trial.run(600);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'a', epoch: 1 });
    trial.agents.silent.clear();
    await trial.run(20);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'a', epoch: 1, term: 1 });
    expect(trial.lease('a').spec?.leaseTransitions).toBe(1);
  });

  it('waits a whole duration and fenceDelay from the first look of a new leader', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    trial.agents.silent.add('a');
    await trial.run(6);
    await trial.changeLeader();
    await trial.run(7.5);
    expect(trial.container('web').status?.nodeName).toBe('a');
    await trial.run(4);
    expect(trial.container('web').status?.epoch).toBe(2);
  });

  it('takes no watch that lags for a lost node', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    const resume = trial.store.faults.stallWatches();
    await trial.run(60);
    resume();
    await trial.run(1);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'a', epoch: 1 });
    expect(trial.lease('a').spec?.holderIdentity).toBe('a');
  });

  it.each([
    [
      'a conflict of the revocation',
      (one: ControllerTrial) => one.store.faults.failNext('Conflict', { verb: 'update', resource: 'leases' }),
    ],
    [
      'a lost reply to the revocation',
      (one: ControllerTrial) => one.store.faults.loseReply({ verb: 'update', resource: 'leases' }),
    ],
    [
      'no answer about the lease',
      (one: ControllerTrial) =>
        one.store.faults.failNext('Timeout', { verb: 'get', resource: 'leases', times: 3 }),
    ],
    [
      'a conflict of the move',
      (one: ControllerTrial) =>
        one.store.faults.failNext('Conflict', { verb: 'updateStatus', resource: 'containers' }),
    ],
    [
      'a lost reply to the move',
      (one: ControllerTrial) => one.store.faults.loseReply({ verb: 'updateStatus', resource: 'containers' }),
    ],
    [
      'a move that never arrived',
      (one: ControllerTrial) =>
        one.store.faults.failNext('Unavailable', { verb: 'updateStatus', resource: 'containers' }),
    ],
  ])('places it once after %s', async (_, fault) => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    trial.agents.silent.add('a');
    await trial.run(7.5);
    fault(trial);
    await trial.run(5);
    expect(trial.container('web').status).toMatchObject({ epoch: 2, phase: 'Scheduled' });
    expect(trial.lease('a').spec?.holderIdentity).toBe('');
    const before = trial.store.writes().length;
    await trial.run(10);
    expect(trial.store.writes()).toHaveLength(before);
  });

  it('revokes nothing when the node renews at the last moment', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    trial.agents.silent.add('a');
    await trial.run(6.5);
    // The watch does not show it.
    const resume = trial.store.faults.stallWatches();
    trial.agents.silent.delete('a');
    await trial.run(1);
    trial.agents.silent.add('a');
    await trial.run(3);
    resume();
    expect(trial.lease('a').spec?.holderIdentity).toBe('a');
    expect(trial.container('web').status?.epoch).toBe(1);
  });

  it('moves nothing that node and leader have not agreed on', async () => {
    const late = {
      ...placedOn('a', 'web'),
      status: { ...placedOn('a', 'web').status, failover: 'Stay' as const },
    };
    trial = await startFailover(['a', 'b', 'c'], late);
    trial.agents.silent.add('a');
    await trial.run(30);
    expect(trial.container('web').status).toMatchObject({ nodeName: 'a', epoch: 1, phase: 'Lost' });
    expect(conditionOf(trial.container('web'), 'Ready')?.message).toContain(
      'have not agreed on its failover policy yet',
    );
  });
});
