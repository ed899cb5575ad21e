import { afterEach, describe, expect, it } from '@jest/globals';
import { containerReconciler } from '../../../src/controllers/container/reconcile.ts';
import type { ControllerDeps } from '../../../src/controllers/deps.ts';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { findCondition } from '../../../src/crds/conditions.ts';
import { HOST_FINALIZER } from '../../../src/crds/kind.ts';
import { type Lease, leaseRef } from '../../../src/crds/lease.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import type { KubeObject } from '../../../src/crds/object.ts';
import { container, node, storagePool } from '../../support/cluster-objects.ts';
import { type ControllerTrial, startControllers } from '../../support/controller-trial.ts';

const { signal } = new AbortController();
let trial: ControllerTrial;
const start = async (...objects: KubeObject[]) => {
  trial = await startControllers(...objects);
  await trial.settle();
};
afterEach(() => trial.stop());

const lease = (name: string): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, namespace: 'hostler-nodes' },
  spec: { holderIdentity: name, leaseDurationSeconds: 5, leaseTransitions: 1 },
});
const placed = (name: string) =>
  container(name, { nodeName: 'a', metadata: { finalizers: [HOST_FINALIZER] } });
const renew = async (name: string) => {
  const held = (await trial.store.get<Lease>(
    leaseRef,
    { namespace: 'hostler-nodes', name },
    signal,
  )) as Lease;
  const renewTime = new Date(trial.clock.nowMs()).toISOString();
  await trial.store.update(leaseRef, { ...held, spec: { ...held.spec, renewTime } }, signal);
};
const runFor = async (seconds: number, names: string[]) => {
  for (let second = 0; second < seconds; second += 1) {
    for (const name of names) await renew(name);
    await trial.clock.advance(1_000);
  }
};
const statusOf = (name: string) =>
  trial.store.all<Node>(nodeKind).find(({ metadata }) => metadata.name === name)?.status;
const conditionOf = (name: string, type: string) => findCondition(statusOf(name)?.conditions, type);
const readyOf = (name: string) => conditionOf(name, 'Ready');
const containerReady = (name: string) =>
  findCondition(
    trial.store.all<Container>(containerKind).find(({ metadata }) => metadata.name === name)?.status
      ?.conditions,
    'Ready',
  );
const statusWrites = () => trial.store.writes().filter(({ verb }) => verb === 'updateStatus').length;

describe('node and container controllers', () => {
  it('say once of a node that renews its lease that it does, and leave the rest to its agent', async () => {
    await start(node('a'), lease('a'), placed('web'));
    await runFor(20, ['a']);
    expect(readyOf('a')).toMatchObject({ status: 'True' });
    expect(conditionOf('a', 'LeaseValid')).toMatchObject({ status: 'True', reason: 'Renewed' });
    expect(statusWrites()).toBe(1);
  });

  it('say Unknown of a silent node and its containers after the lease and its margin, once, whoever leads', async () => {
    await start(node('a'), node('b'), lease('a'), lease('b'), placed('web'), storagePool());
    await runFor(5, ['b']);
    expect(readyOf('a')).toMatchObject({ status: 'True' });
    await runFor(2, ['b']);
    expect(readyOf('a')).toMatchObject({ status: 'Unknown', reason: 'LeaseExpired' });
    expect(readyOf('b')).toMatchObject({ status: 'True' });
    expect(containerReady('web')).toMatchObject({
      status: 'Unknown',
      reason: 'NodeUnreachable',
      message: 'Nothing is heard of node a; the container may still run there',
    });
    expect(trial.events).toEqual([
      "Warning NodeUnreachable a: The agent has not renewed the node's lease for more than 5 s",
    ]);
    await runFor(1, ['b']);
    const before = trial.store.writes().length;
    await trial.changeLeader();
    await trial.settle(1_000);
    expect(trial.store.writes()).toHaveLength(before);
  });

  it('leave it all to the agent once it is back', async () => {
    await start(node('a'), lease('a'), placed('web'));
    await trial.settle(8_000);
    expect(readyOf('a')?.status).toBe('Unknown');
    await renew('a');
    const lost = (await trial.store.get<Node>(nodeKind, { name: 'a' }, signal)) as Node;
    await trial.store.updateStatus(nodeKind, { ...lost, status: node('a').status ?? {} }, signal);
    const web = trial.store.all<Container>(containerKind)[0] as Container;
    await trial.store.updateStatus(
      containerKind,
      { ...web, status: { ...web.status, conditions: [], phase: 'Running' } },
      signal,
    );
    const before = statusWrites();
    await runFor(20, ['a']);
    expect(readyOf('a')?.status).toBe('True');
    expect(statusOf('a')).toMatchObject({
      conditions: [{ type: 'Ready' }, { type: 'LeaseValid', status: 'True' }],
    });
    expect(statusOf('a')?.taints).toBeUndefined();
    expect(containerReady('web')).toBeUndefined();
    expect(statusWrites()).toBe(before + 1);
  });

  it('give each node a whole lease from the moment at which this replica began to lead', async () => {
    await start(node('a'), lease('a'));
    await trial.settle(4_000);
    await trial.changeLeader();
    await trial.settle(5_000);
    expect(readyOf('a')?.status).toBe('True');
    await trial.settle(2_000);
    expect(readyOf('a')?.status).toBe('Unknown');
  });

  it('believe a fresh read of the lease more than a watch that lags', async () => {
    await start(node('a'), lease('a'));
    const resume = trial.store.faults.stallWatches();
    await runFor(20, ['a']);
    expect(readyOf('a')?.status).toBe('True');
    resume();
  });

  it('take no silence of the API for silence of a node', async () => {
    await start(node('a'), lease('a'));
    trial.store.faults.failNext('Unavailable', { verb: 'get', resource: 'leases', times: 1_000 });
    const resume = trial.store.faults.stallWatches();
    await trial.settle(20_000);
    expect(readyOf('a')?.status).toBe('True');
    resume();
  });

  it('say NoLease of a node whose agent never came', async () => {
    await start(node('a', { ready: false, status: { conditions: [] } }));
    await trial.settle(7_000);
    expect(readyOf('a')).toMatchObject({ status: 'Unknown', reason: 'NoLease' });
  });

  it('say Unknown of containers whose Node object was deleted, and hold those that are being deleted', async () => {
    await start(node('a'), lease('a'), placed('web'));
    await trial.store.delete(nodeKind, { name: 'a' }, {}, signal);
    await trial.settle();
    expect(containerReady('web')).toMatchObject({
      status: 'Unknown',
      message: 'There is no node a any more; the container may still run there',
    });
    await trial.store.delete(containerKind, { namespace: 'default', name: 'web' }, {}, signal);
    await trial.settle();
    expect(containerReady('web')?.message).toMatch(/it is removed once the node is back$/);
  });

  it('do not take a Node for gone that a late cache does not hold yet', async () => {
    await start(node('a'), lease('a'), placed('web'));
    const informers = {
      containers: { cache: { get: () => trial.store.all<Container>(containerKind)[0] } },
      nodes: { cache: { get: () => undefined } },
    };
    const { store, clock } = trial;
    const reconcile = containerReconciler({ store, clock, informers } as unknown as ControllerDeps);
    await reconcile('default/web', signal);
    expect(statusWrites()).toBe(0);
  });

  it('let go of a container that was deleted before it was placed', async () => {
    await start(container('web', { metadata: { finalizers: [HOST_FINALIZER, 'example.com/other'] } }));
    await trial.store.delete(containerKind, { namespace: 'default', name: 'web' }, {}, signal);
    await trial.settle();
    expect(trial.store.all<Container>(containerKind)[0]?.metadata.finalizers).toEqual(['example.com/other']);
  });
});
