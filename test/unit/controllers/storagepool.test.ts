import { afterEach, describe, expect, it } from '@jest/globals';
import type { ControllerDeps } from '../../../src/controllers/deps.ts';
import { storagePoolReconciler } from '../../../src/controllers/storagepool/reconcile.ts';
import { containerKind } from '../../../src/crds/container.ts';
import { findCondition } from '../../../src/crds/conditions.ts';
import { HOST_FINALIZER } from '../../../src/crds/kind.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import type { KubeObject } from '../../../src/crds/object.ts';
import { type StoragePool, storagePoolKind } from '../../../src/crds/storage-pool.ts';
import { container, node, storagePool } from '../../support/cluster-objects.ts';
import { type ControllerTrial, startControllers } from '../../support/controller-trial.ts';

const { signal } = new AbortController();
let trial: ControllerTrial;
const start = async (...objects: KubeObject[]) => {
  trial = await startControllers(...objects);
  await trial.settle();
};
afterEach(() => trial.stop());

const pool = () => trial.store.all<StoragePool>(storagePoolKind)[0];
const remove = async () => {
  await trial.store.delete(storagePoolKind, { name: 'default' }, {}, signal);
  await trial.settle();
};
const report = async (name: string, change: (status: NonNullable<Node['status']>) => Node['status']) => {
  const one = (await trial.store.get<Node>(nodeKind, { name }, signal)) as Node;
  await trial.store.updateStatus(nodeKind, { ...one, status: change(one.status ?? {}) ?? {} }, signal);
  await trial.settle();
};
const reclaiming = storagePool('default', { spec: { reclaimPolicy: 'Delete' } });

describe('storage pool controller', () => {
  it('holds the pool and sums up what the nodes report; a second pass writes nothing', async () => {
    await start(
      node('a'),
      node('b', { status: { pools: [] } }),
      storagePool(),
      container('web', { nodeName: 'a' }),
    );
    expect(pool()).toMatchObject({
      metadata: { finalizers: [HOST_FINALIZER] },
      status: { observedGeneration: 1, readyNodes: 1, selectedNodes: 2, containers: 1 },
    });
    expect(pool()?.status?.nodes?.['b']).toMatchObject({ ready: false, reason: 'Pending' });
    expect(findCondition(pool()?.status?.conditions, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'PartlyReady',
    });
    const before = trial.store.writes().length;
    await trial.changeLeader();
    await trial.settle();
    expect(trial.store.writes()).toHaveLength(before);
  });

  it('follows the nodes, and counts many containers in one write', async () => {
    await start(node('a', { status: { pools: [] } }), storagePool());
    await report('a', () => node('a').status);
    expect(findCondition(pool()?.status?.conditions, 'Ready')).toMatchObject({ status: 'True' });
    const writes = () => trial.store.writes().filter(({ resource }) => resource === 'storagepools').length;
    const before = writes();
    trial.store.seed(...Array.from({ length: 60 }, (_, index) => container(`c${index}`, { nodeName: 'a' })));
    await trial.settle(1_500);
    expect(pool()?.status?.containers).toBe(60);
    expect(writes() - before).toBe(1);
  });

  it('lets a Retain pool go at once', async () => {
    await start(node('a'), storagePool());
    await remove();
    expect(pool()).toBeUndefined();
  });

  it('waits with a Delete pool until every agent has removed it', async () => {
    await start(node('a'), node('b'), reclaiming);
    await remove();
    const terminating = () => findCondition(pool()?.status?.conditions, 'Terminating');
    expect(terminating()).toMatchObject({
      reason: 'Removing',
      message: 'Waits for the agents to remove it from a, b',
    });
    await report('a', (status) => ({ ...status, pools: [] }));
    expect(terminating()?.message).toBe('Waits for the agents to remove it from b');
    await report('b', (status) => ({ ...status, pools: [] }));
    expect(pool()).toBeUndefined();
  });

  it('holds a pool that containers name, with their names', async () => {
    await start(node('a'), storagePool(), container('web', { nodeName: 'a' }));
    await remove();
    expect(findCondition(pool()?.status?.conditions, 'Terminating')).toMatchObject({
      reason: 'InUse',
      message: 'Named by 1 container: default/web',
    });
    await trial.store.delete(containerKind, { namespace: 'default', name: 'web' }, {}, signal);
    const [web] = trial.store.all(containerKind) as [KubeObject];
    await trial.store.update(
      containerKind,
      { ...web, metadata: { ...web.metadata, finalizers: [] } },
      signal,
    );
    await trial.settle(500);
    expect(pool()).toBeUndefined();
  });

  it.each([
    ['shows a container that the cache does not hold yet', () => {}],
    ['fails', () => trial.store.faults.failNext('Unavailable', { verb: 'list', resource: 'containers' })],
  ])('does not let go of a pool when the last look for containers %s', async (_name, fault) => {
    const held = { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [HOST_FINALIZER] };
    await start(container('web', { nodeName: 'a' }), node('a'));
    const informers = {
      pools: { cache: { get: () => storagePool('default', { metadata: held }) } },
      nodes: { cache: { list: () => [] } },
      containers: { cache: { byIndex: () => [] } },
    };
    const { store, clock } = trial;
    fault();
    const reconcile = storagePoolReconciler({ store, clock, informers } as unknown as ControllerDeps);
    await reconcile('default', signal).catch(() => 'failed');
    expect(store.writes().filter(({ resource }) => resource === 'storagepools')).toEqual([]);
  });
});
