import { afterEach, describe, expect, it } from '@jest/globals';
import type { ControllerDeps } from '../../../src/controllers/deps.ts';
import { assumeEarlierPlacements } from '../../../src/controllers/placement/earlier-placements.ts';
import { placementReconciler } from '../../../src/controllers/placement/reconcile.ts';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { findCondition } from '../../../src/crds/conditions.ts';
import { HOST_FINALIZER } from '../../../src/crds/kind.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import type { KubeObject } from '../../../src/crds/object.ts';
import { storagePoolKind } from '../../../src/crds/storage-pool.ts';
import { createSchedulingFacts } from '../../../src/plan/scheduling/facts.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { container, node, poolOn, storagePool } from '../../support/cluster-objects.ts';
import { type ControllerTrial, startControllers } from '../../support/controller-trial.ts';

const { signal } = new AbortController();
let trial: ControllerTrial;
const start = async (...objects: KubeObject[]) => {
  trial = await startControllers(...objects);
  await trial.settle();
};
afterEach(() => trial.stop());

const all = () => trial.store.all<Container>(containerKind);
const get = (name: string) => all().find(({ metadata }) => metadata.name === name);
const conditionOf = (name: string, type: string) => findCondition(get(name)?.status?.conditions, type);
const create = (one: Container) => trial.store.create(containerKind, one, signal);
const writesTo = (resource: string) => trial.store.writes().filter((call) => call.resource === resource);
const containerWrites = () => writesTo('containers').map(({ verb, key }) => `${verb} ${key}`);
const changeNode = async (name: string, change: (one: Node) => Node) => {
  const one = (await trial.store.get<Node>(nodeKind, { name }, signal)) as Node;
  const changed = change(one);
  await trial.store.update(nodeKind, changed, signal);
  const fresh = (await trial.store.get<Node>(nodeKind, { name }, signal)) as Node;
  await trial.store.updateStatus(nodeKind, { ...fresh, status: changed.status ?? {} }, signal);
};

const onShared = { spec: { rootPool: 'fast' } };
const shared = (creationTimestamp: string) =>
  storagePool('fast', { spec: { access: 'Shared', source: '/mnt/shared' }, metadata: { creationTimestamp } });

describe('placement', () => {
  it('places a container with one write of the finalizer and one of the status, and a second pass writes nothing', async () => {
    await start(node('a'), storagePool(), container('web'));
    expect(get('web')).toMatchObject({
      metadata: { finalizers: [HOST_FINALIZER] },
      status: { phase: 'Scheduled', nodeName: 'a', epoch: 1, observedGeneration: 1 },
    });
    expect(conditionOf('web', 'Scheduled')).toMatchObject({
      status: 'True',
      reason: 'Scheduled',
      message: 'Placed on a',
    });
    expect(conditionOf('web', 'Ready')).toMatchObject({ status: 'False', reason: 'Scheduled' });
    expect(containerWrites()).toEqual(['patch default/web', 'updateStatus default/web']);
    expect(trial.events).toEqual(['Normal Scheduled default/web: Placed on a']);
    await trial.changeLeader();
    await trial.settle();
    expect(containerWrites()).toHaveLength(2);
  });

  it('says why no node fits, once, and places it as soon as the cause goes', async () => {
    await start(node('a', { ready: false }), storagePool(), container('web'));
    expect(get('web')?.status).toMatchObject({ phase: 'Pending', observedGeneration: 1 });
    expect(conditionOf('web', 'Scheduled')).toMatchObject({
      status: 'False',
      reason: 'Unschedulable',
      message: '0/1 nodes fit: 1 not ready',
      observedGeneration: 1,
    });
    expect(conditionOf('web', 'Ready')).toMatchObject({ status: 'False', reason: 'NotScheduled' });
    const before = trial.store.writes().length;
    await trial.changeLeader();
    await trial.settle();
    expect(trial.store.writes()).toHaveLength(before);
    expect(trial.events).toEqual(['Warning FailedScheduling default/web: 0/1 nodes fit: 1 not ready']);

    await changeNode('a', () => ({ ...node('a'), metadata: { ...trial.store.all(nodeKind)[0]!.metadata } }));
    await trial.settle();
    expect(get('web')?.status).toMatchObject({ phase: 'Scheduled', nodeName: 'a', epoch: 1 });
    expect(trial.events.at(-1)).toBe('Normal Scheduled default/web: Placed on a');
  });

  it('places it when a missing pool appears', async () => {
    await start(
      node('a', { status: { pools: [poolOn('fast')] } }),
      container('web', { spec: { rootPool: 'fast' } }),
    );
    expect(conditionOf('web', 'Scheduled')?.message).toBe('0/1 nodes fit: 1 storage pool fast not found');
    trial.store.seed(storagePool('fast'));
    await trial.settle();
    expect(get('web')?.status?.nodeName).toBe('a');
  });

  it('waits a little until all nodes have proved a new Shared pool, so that the first does not get everything', async () => {
    const proving = poolOn('fast', { ready: false, reason: 'Proving' });
    await start(
      node('a', { status: { pools: [poolOn('fast')] } }),
      node('b', { status: { pools: [proving] } }),
    );
    const created = new Date(trial.clock.nowMs()).toISOString();
    trial.store.seed(shared(created), ...['one', 'two'].map((name) => container(name, onShared)));
    await trial.settle(2_000);
    expect(get('one')?.status?.nodeName).toBeUndefined();
    await changeNode('b', (one) => ({ ...one, status: { ...one.status, pools: [poolOn('fast')] } }));
    await trial.settle(1_000);
    expect(new Set([get('one'), get('two')].map((one) => one?.status?.nodeName))).toEqual(
      new Set(['a', 'b']),
    );
  });

  it('does not wait for longer than ten seconds, nor for a pool that is older, nor with one that is pinned', async () => {
    const proving = poolOn('fast', { ready: false, reason: 'Proving' });
    await start(
      node('a', { status: { pools: [poolOn('fast')] } }),
      node('b', { status: { pools: [proving] } }),
    );
    const created = new Date(trial.clock.nowMs()).toISOString();
    const pinned = { spec: { ...onShared.spec, placement: { nodeName: 'a' } } };
    trial.store.seed(shared(created), container('one', onShared), container('pinned', pinned));
    await trial.settle(1_000);
    expect(get('pinned')?.status?.nodeName).toBe('a');
    expect(get('one')?.status?.nodeName).toBeUndefined();
    await trial.settle(10_000);
    expect(get('one')?.status?.nodeName).toBe('a');
    trial.store.seed(container('later', onShared));
    await trial.settle();
    expect(get('later')?.status?.nodeName).toBe('a');
  });

  it('places the one that was there first when room is freed', async () => {
    const asks = { spec: { resources: { memory: '5Gi' } } };
    await start(
      node('a'),
      storagePool(),
      container('holder', { ...asks, nodeName: 'a' }),
      container('a-later', { ...asks, metadata: { creationTimestamp: '2026-01-01T00:00:02Z' } }),
      container('z-first', { ...asks, metadata: { creationTimestamp: '2026-01-01T00:00:01Z' } }),
    );
    expect([get('a-later'), get('z-first')].map((one) => one?.status?.phase)).toEqual(['Pending', 'Pending']);
    await trial.store.delete(containerKind, { namespace: 'default', name: 'holder' }, {}, signal);
    // Its agent lets go of it.
    const holder = get('holder') as Container;
    await trial.store.update(
      containerKind,
      { ...holder, metadata: { ...holder.metadata, finalizers: [] } },
      signal,
    );
    await trial.settle();
    expect([get('a-later'), get('z-first')].map((one) => one?.status?.nodeName)).toEqual([undefined, 'a']);
  });

  it('never promises the same room twice to containers that come at once', async () => {
    await start(node('a'), node('b'), storagePool());
    const names = Array.from({ length: 10 }, (_, index) => `c${index}`);
    await Promise.all(
      names.map((name) =>
        create(container(name, { metadata: { uid: name }, spec: { resources: { memory: '3Gi' } } })),
      ),
    );
    await trial.settle();
    const owners = all().map(({ status }) => status?.nodeName);
    expect(owners.filter((owner) => owner === 'a')).toHaveLength(2);
    expect(owners.filter((owner) => owner === 'b')).toHaveLength(2);
    expect(owners.filter((owner) => owner === undefined)).toHaveLength(6);
  });

  it.each([
    [
      'a conflict on the finalizer',
      (one: ControllerTrial) => one.store.faults.failNext('Conflict', { verb: 'patch' }),
    ],
    [
      'a conflict on the status',
      (one: ControllerTrial) => one.store.faults.failNext('Conflict', { verb: 'updateStatus' }),
    ],
    [
      'an API that does not answer',
      (one: ControllerTrial) => one.store.faults.failNext('Unavailable', { verb: 'updateStatus', times: 3 }),
    ],
    [
      'a lost reply to the finalizer',
      (one: ControllerTrial) => one.store.faults.loseReply({ verb: 'patch' }),
    ],
    [
      'a lost reply to the status',
      (one: ControllerTrial) => one.store.faults.loseReply({ verb: 'updateStatus' }),
    ],
  ])('places it once after %s', async (_name, fault) => {
    await start(node('a'), node('b'), storagePool());
    trial.store.faults.dropWatches();
    fault(trial);
    await create(container('web', { spec: { resources: { memory: '5Gi' } } }));
    await trial.settle(2_000);
    expect(get('web')?.status).toMatchObject({ phase: 'Scheduled', epoch: 1 });
    const other = get('web')?.status?.nodeName === 'a' ? 'b' : 'a';
    // The room of a decision that did not come about is not lost.
    await create(container('next', { metadata: { uid: 'next' }, spec: { resources: { memory: '5Gi' } } }));
    await trial.settle(2_000);
    expect(get('next')?.status?.nodeName).toBe(other);
  });

  it('does not place what is being deleted, and lets it go', async () => {
    await start(storagePool(), container('web', { metadata: { finalizers: [HOST_FINALIZER] } }));
    await trial.store.delete(containerKind, { namespace: 'default', name: 'web' }, {}, signal);
    trial.store.seed(node('a'));
    await trial.settle();
    expect(all()).toEqual([]);
  });

  it('never touches a container that has a node, wherever that is', async () => {
    const gone = container('web', { nodeName: 'gone', metadata: { finalizers: [HOST_FINALIZER] } });
    await start(node('a'), storagePool(), gone);
    expect(get('web')?.status).toMatchObject({ nodeName: 'gone', epoch: 1 });
  });

  it('says so when no instance can have the name, which other Kubernetes clusters let in', async () => {
    await start(node('a'), storagePool());
    const { clock, store } = trial;
    const one = container('1web');
    const written: Container[] = [];
    const updateStatus = (_ref: unknown, object: unknown) =>
      Promise.resolve(written.push(object as Container));
    const reconcile = placementReconciler(
      {
        clock,
        store: { ...store, updateStatus } as unknown as ControllerDeps['store'],
        informers: { containers: { cache: { get: () => one } } } as unknown as ControllerDeps['informers'],
        events: { record() {} },
        logger: silentLogger,
        metrics: noMetrics,
        leases: {} as unknown as ControllerDeps['leases'],
        fencer: { fence: () => Promise.resolve() },
        facts: createSchedulingFacts(),
      },
      { facts: createSchedulingFacts(), waiting: new Set() },
    );
    await reconcile('default/1web', signal);
    expect(findCondition(written[0]?.status?.conditions, 'Scheduled')).toMatchObject({
      status: 'False',
      reason: 'InvalidName',
      message: expect.stringMatching(/^metadata\.name must begin with a letter/),
    });
  });

  it('counts what the leader before it placed, though its own cache does not show it yet', async () => {
    const asks = { spec: { resources: { memory: '5Gi' } } };
    await start(node('a'), storagePool());
    const resume = trial.store.faults.stallWatches();
    trial.store.seed(container('placed', { ...asks, nodeName: 'a' }));
    const facts = createSchedulingFacts();
    await assumeEarlierPlacements({ ...trial, logger: silentLogger }, facts, signal);
    expect(facts.usage.on('a').containers).toBe(1);
    facts.setContainer(container('placed', asks));
    expect(facts.usage.on('a').containers).toBe(1);
    resume();
  });

  it('decides nothing before it knows what was placed', async () => {
    await start(node('a'), storagePool());
    trial.store.faults.failNext('Unavailable', { verb: 'list', resource: 'containers', times: 3 });
    await trial.changeLeader();
    await create(container('web'));
    await trial.settle(1_000);
    expect(get('web')?.status).toBeUndefined();
    await trial.settle(1_000);
    expect(get('web')?.status?.nodeName).toBe('a');
  });

  it('looks again at a required spread when another container evens it out', async () => {
    const zoned = (name: string, zone: string) =>
      node(name, { metadata: { labels: { zone } }, status: { allocatable: { cpu: '4', memory: '4Gi' } } });
    const web = (name: string, more: Parameters<typeof container>[1]) =>
      container(name, { ...more, metadata: { labels: { app: 'web' }, uid: name } });
    const resources = { memory: '3Gi' };
    await start(
      zoned('a', 'x'),
      zoned('b', 'y'),
      storagePool(),
      web('first', { nodeName: 'a' }),
      container('big', { nodeName: 'b', spec: { resources } }),
      web('waits', { spec: { resources, placement: { spread: [{ topologyKey: 'zone' }] } } }),
    );
    expect(conditionOf('waits', 'Scheduled')?.message).toBe(
      '0/2 nodes fit: 1 Insufficient memory, 1 did not match the spread',
    );
    await create(web('small', { spec: { placement: { nodeSelector: { zone: 'y' } } } }));
    await trial.settle();
    expect([get('small'), get('waits')].map((one) => one?.status?.nodeName)).toEqual(['b', 'a']);
  });

  it('writes nothing once it does not lead', async () => {
    await start(node('a'), storagePool());
    trial.isLeading = false;
    const before = trial.store.writes().length;
    await create(container('web'));
    await trial.settle();
    expect(trial.store.writes()).toHaveLength(before + 1);
    expect(get('web')?.status).toBeUndefined();
  });

  it('does not look again at what waits for each report of an agent', async () => {
    await start(node('a', { ready: false }), storagePool(), container('web'));
    const reads = () => trial.store.calls.length;
    const before = reads();
    await changeNode('a', (one) => ({ ...one, status: { ...one.status, images: [] } }));
    await trial.settle();
    const byTest = 4;
    expect(reads() - before).toBe(byTest);
    expect(trial.store.all(storagePoolKind)).toHaveLength(1);
  });
});
