import { afterEach, describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { NODE_LEASE_NAMESPACE } from '../../../src/crds/kind.ts';
import { type Lease, leaseRef } from '../../../src/crds/lease.ts';
import { nodeKind } from '../../../src/crds/node.ts';
import { storagePool } from '../../support/cluster-objects.ts';
import { conditionOf, type FailoverTrial, placedOn, startFailover } from '../../support/failover-trial.ts';

const { signal } = new AbortController();
let trial: FailoverTrial;
afterEach(() => trial.stop());

const deleteLease = (name: string): Promise<unknown> =>
  trial.store.delete(leaseRef, { namespace: NODE_LEASE_NAMESPACE, name }, {}, signal);
const deleteNode = (name: string): Promise<unknown> => trial.store.delete(nodeKind, { name }, {}, signal);
const deleteContainer = (name: string): Promise<unknown> =>
  trial.store.delete(containerKind, { namespace: 'default', name }, {}, signal);
const find = (name: string): Container | undefined =>
  trial.store.all<Container>(containerKind).find(({ metadata }) => metadata.name === name);
const leaseOf = (name: string): Lease | undefined =>
  trial.store.all<Lease>(leaseRef).find(({ metadata }) => metadata.name === name);
const nodeOf = (name: string): string | undefined => find(name)?.status?.nodeName;

describe('a silent node whose objects somebody deletes', () => {
  it('is fenced as any other when its Node is gone', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    trial.agents.silent.add('a');
    await deleteNode('a');
    await trial.run(7);
    expect(nodeOf('web')).toBe('a');
    await trial.run(2);
    expect(['b', 'c']).toContain(nodeOf('web'));
    expect(leaseOf('a')?.spec?.holderIdentity).toBe('');
    const before = trial.store.writes().length;
    await trial.run(30);
    await trial.changeLeader();
    await trial.run(30);
    expect(trial.store.writes()).toHaveLength(before);
  });

  it('is not fenced without a guard when its Node is gone, and its containers say why', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    trial.agents.unguarded.add('a');
    await trial.run(2);
    trial.agents.silent.add('a');
    await deleteNode('a');
    await trial.run(30);
    expect(find('web')?.status).toMatchObject({ nodeName: 'a', epoch: 1, phase: 'Lost' });
    expect(conditionOf(trial.container('web'), 'Ready')?.message).toMatch(/no guard watched over them/);
    const before = trial.store.writes().length;
    await trial.run(30);
    expect(trial.store.writes()).toHaveLength(before);
  });

  it('is fenced when its lease is gone, a full time after that, by a lease that is made anew as revoked', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    trial.agents.silent.add('a');
    await trial.run(4);
    await deleteLease('a');
    await trial.run(7.5);
    expect(nodeOf('web')).toBe('a');
    expect(leaseOf('a')).toBeUndefined();
    expect(conditionOf(trial.node('a'), 'LeaseValid')).toMatchObject({ reason: 'LeaseDeleted' });
    await trial.run(1.5);
    expect(['b', 'c']).toContain(nodeOf('web'));
    expect(leaseOf('a')?.spec).toMatchObject({ holderIdentity: '', leaseTransitions: 1 });
    expect(conditionOf(trial.node('a'), 'Fenced')).toMatchObject({ status: 'True', reason: 'LeaseExpired' });
    trial.agents.silent.delete('a');
    await trial.run(5);
    expect(leaseOf('a')?.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 2 });
  });

  it('gets a new term when it is alive, and nothing is moved', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    await deleteLease('a');
    await trial.run(30);
    expect(leaseOf('a')?.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 2 });
    expect(find('web')?.status).toMatchObject({ nodeName: 'a', epoch: 1, term: 2 });
  });

  it('that has made a new lease meanwhile is not fenced by one who does not see it yet', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    trial.agents.silent.add('a');
    await deleteLease('a');
    await trial.run(1);
    const resume = trial.store.faults.stallWatches();
    trial.agents.silent.delete('a');
    await trial.run(15);
    expect(find('web')?.status).toMatchObject({ nodeName: 'a', epoch: 1 });
    resume();
    await trial.run(5);
    expect(leaseOf('a')?.spec).toMatchObject({ holderIdentity: 'a' });
    expect(find('web')?.status).toMatchObject({ nodeName: 'a', epoch: 1 });
  });

  it('waits for an operator when nobody saw the last version of its lease', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    trial.agents.silent.add('a');
    await trial.run(1);
    await deleteLease('a');
    await trial.changeLeader();
    await trial.run(60);
    expect(find('web')?.status).toMatchObject({ nodeName: 'a', epoch: 1 });
    expect(conditionOf(trial.node('a'), 'Ready')).toMatchObject({ status: 'Unknown', reason: 'NoLease' });
    await trial.annotate('a', 'alice');
    await trial.run(2);
    expect(['b', 'c']).toContain(nodeOf('web'));
    expect(conditionOf(trial.node('a'), 'Fenced')).toMatchObject({ status: 'True', reason: 'Operator' });
  });

  it('waits for an operator when its lease was missing from a list, since what it said last is not known', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    const resume = trial.store.faults.stallWatches();
    trial.agents.silent.add('a');
    await deleteLease('a');
    trial.store.faults.compact();
    trial.store.faults.dropWatches('Expired');
    resume();
    await trial.run(60);
    expect(find('web')?.status).toMatchObject({ nodeName: 'a', epoch: 1 });
    expect(conditionOf(trial.node('a'), 'Ready')).toMatchObject({ status: 'Unknown', reason: 'NoLease' });
  });
});

describe('a container that is deleted while its node is lost', () => {
  it('is held until the node is fenced, and then let go', async () => {
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'web'));
    trial.agents.silent.add('a');
    await trial.run(5);
    await deleteContainer('web');
    await trial.run(2);
    expect(find('web')?.status).toMatchObject({ nodeName: 'a', epoch: 1 });
    await trial.run(2);
    expect(find('web')).toBeUndefined();
  });

  it('is let go when the node has been fenced already', async () => {
    const big = { spec: { resources: { memory: '6Gi' } } };
    const others = [placedOn('b', 'b1', big), placedOn('c', 'c1', big)];
    trial = await startFailover(['a', 'b', 'c'], placedOn('a', 'big', big), ...others);
    trial.agents.silent.add('a');
    await trial.run(10);
    expect(find('big')?.status).toMatchObject({ nodeName: 'a', phase: 'Lost' });
    await deleteContainer('big');
    await trial.run(1);
    expect(find('big')).toBeUndefined();
  });

  it('that its guard does not stop is held until an operator says that the host is off', async () => {
    const web = placedOn('a', 'web', { spec: { failover: { policy: 'Stay' } } });
    trial = await startFailover(['a', 'b', 'c'], {
      ...web,
      status: { ...web.status, failover: 'Stay' },
    } as Container);
    trial.agents.silent.add('a');
    await trial.run(10);
    await deleteContainer('web');
    await trial.run(30);
    expect(conditionOf(trial.node('a'), 'Fenced')).toMatchObject({ status: 'True', reason: 'LeaseExpired' });
    expect(find('web')).toBeDefined();
  });

  it.each(['Stay', 'Recover'] as const)(
    'on a host that is off by the word of an operator is let go: %s',
    async (policy) => {
      const web = placedOn('a', 'web', { spec: { failover: { policy } } });
      trial = await startFailover(['a', 'b', 'c'], {
        ...web,
        status: { ...web.status, failover: 'Stay' },
      } as Container);
      trial.agents.silent.add('a');
      await trial.run(4);
      await trial.annotate('a', 'alice');
      await deleteContainer('web');
      await trial.run(3);
      expect(find('web')).toBeUndefined();
    },
  );

  it('and has its root on shared storage goes to a node that can remove it', async () => {
    const shared = storagePool('shared');
    const pool = { ...shared, spec: { ...shared.spec, access: 'Shared' as const, source: '/srv/shared' } };
    const pools = [
      { name: 'default', ready: true },
      { name: 'shared', ready: true },
    ];
    const web = placedOn('a', 'web', { spec: { failover: { policy: 'Recover' }, rootPool: 'shared' } });
    trial = await startFailover(['a', 'b', 'c'], pool, {
      ...web,
      status: { ...web.status, failover: 'Recover' },
    } as Container);
    for (const name of ['a', 'b', 'c']) {
      const node = trial.node(name);
      trial.store.seed({ ...node, status: { ...node.status, pools } } as typeof node);
    }
    trial.agents.silent.add('a');
    await trial.run(5);
    await deleteContainer('web');
    await trial.run(5);
    expect(find('web')?.metadata.deletionTimestamp).toBeDefined();
    expect(find('web')?.status).toMatchObject({ epoch: 2 });
    expect(['b', 'c']).toContain(nodeOf('web'));
  });
});
