import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { poolUsage } from '../../../src/agent/pools/usage.ts';
import { NODE_LEASE_NAMESPACE } from '../../../src/crds/kind.ts';
import { type Lease, leaseRef } from '../../../src/crds/lease.ts';
import { type Node, nodeKind } from '../../../src/crds/node.ts';
import { type StoragePool, storagePoolKind } from '../../../src/crds/storage-pool.ts';
import { storagePool } from '../../support/cluster-objects.ts';
import { type AgentWorld, createAgentWorld, NODE } from './agent-world.ts';

const never = new AbortController().signal;

describe("the agent's storage pools", () => {
  let world: AgentWorld;
  const entry = (name: string) => world.node()?.status?.pools?.find((pool) => pool.name === name);
  const deletePool = async (name: string) => {
    await world.store.delete(storagePoolKind, { name }, {}, never);
    await world.clock.advance(10);
  };

  beforeEach(async () => {
    world = createAgentWorld();
    await world.start();
  });

  afterEach(() => world.stop());

  it('makes the pools that select the node, and reports them with their usage', async () => {
    world.store.seed(storagePool('fast', { spec: { driver: 'btrfs', size: '1Gi' } }));
    await world.clock.advance(10);
    expect(world.host.pools.get('fast')?.spec).toMatchObject({
      uid: 'uid-fast',
      driver: 'btrfs',
      sizeBytes: 2 ** 30,
    });
    expect(entry('fast')).toEqual({
      name: 'fast',
      poolUid: 'uid-fast',
      observedGeneration: 1,
      driver: 'btrfs',
      ready: true,
      reason: 'Ready',
      message: '',
      total: '1Gi',
      used: '0',
    });
  });

  it('does not look at a pool again when nothing but its status has changed', async () => {
    world.store.seed(storagePool('fast', { spec: { driver: 'btrfs' } }));
    await world.clock.advance(10);
    const looks = () => world.calls('ensurePool').length;
    const before = looks();
    const pool = () =>
      world.store.all<StoragePool>(storagePoolKind).find(({ metadata }) => metadata.name === 'fast');
    await world.store.updateStatus(
      storagePoolKind,
      { ...(pool() as StoragePool), status: { containers: 7 } },
      never,
    );
    await world.clock.advance(10);
    expect(looks()).toBe(before);
    const { spec } = pool() as StoragePool;
    await world.store.update(
      storagePoolKind,
      { ...(pool() as StoragePool), spec: { ...spec, size: '1Gi' } },
      never,
    );
    await world.clock.advance(10);
    expect(looks()).toBe(before + 1);
  });

  it('makes a pool once the labels of the node select it, and keeps the data when they no longer do', async () => {
    world.store.seed(storagePool('fast', { spec: { nodeSelector: { tier: 'gold' } } }));
    await world.clock.advance(10);
    expect(world.host.pools.has('fast')).toBe(false);
    const label = async (tier: string) => {
      await world.store.mergePatch<Node>(
        nodeKind,
        { name: NODE },
        { body: { metadata: { labels: { tier }, resourceVersion: world.node()?.metadata.resourceVersion } } },
        never,
      );
      await world.clock.advance(10);
    };
    await label('gold');
    expect(entry('fast')).toMatchObject({ ready: true });
    await label('lead');
    expect(entry('fast')).toBeUndefined();
    expect(world.host.pools.has('fast')).toBe(true);
  });

  it.each([
    ['is not ours', { name: 'default', spec: {} }, 'NameTaken'],
    ['has settings that the daemon refuses', { name: 'bad', spec: { config: { 'zfs.x': '1' } } }, 'Invalid'],
  ] as const)('says why a pool that %s is not ready', async (_why, { name, spec }, reason) => {
    world.store.seed(storagePool(name, { spec }));
    await world.clock.advance(60_000);
    expect(entry(name)).toMatchObject({ ready: false, reason });
    expect(entry(name)?.message).not.toBe('');
  });

  it('removes a pool whose deletion asks for it once it is empty, and then reports nothing of it', async () => {
    world.store.seed(
      storagePool('fast', {
        spec: { reclaimPolicy: 'Delete' },
        metadata: { finalizers: ['hostler.dev/host'] },
      }),
    );
    world.place('web', { rootPool: 'fast' });
    await world.clock.advance(3_000);
    await deletePool('fast');
    expect(entry('fast')).toMatchObject({ ready: false, reason: 'InUse' });
    world.host.instances.clear();
    await world.clock.advance(10_000);
    expect(world.host.pools.has('fast')).toBe(false);
    expect(entry('fast')).toBeUndefined();
  });

  it('leaves a pool with Retain on the host', async () => {
    world.store.seed(storagePool('fast', { metadata: { finalizers: ['hostler.dev/host'] } }));
    await world.clock.advance(10);
    await deletePool('fast');
    expect(entry('fast')).toMatchObject({ ready: false, reason: 'Released' });
    expect(world.host.pools.has('fast')).toBe(true);
  });

  it('keeps the entries of pools that it has not looked at yet after its own restart', async () => {
    world.store.seed(storagePool('fast'));
    await world.clock.advance(10);
    await world.stop();
    world.host.delayMs = 60_000;
    await world.start();
    await world.clock.advance(1_000);
    expect(entry('fast')).toMatchObject({ ready: true });
    world.host.delayMs = 0;
  });

  it('works on the pool when the daemon is back', async () => {
    world.host.setDown(true);
    world.store.seed(storagePool('fast'));
    await world.clock.advance(20_000);
    expect(entry('fast')).toMatchObject({ ready: false, reason: 'HostUnavailable' });
    world.host.setDown(false);
    await world.clock.advance(100);
    expect(entry('fast')).toMatchObject({ ready: true });
  });
});

describe("the agent's Node and lease", () => {
  let world: AgentWorld;

  beforeEach(async () => {
    world = createAgentWorld();
    await world.start();
  });

  afterEach(() => world.stop());

  it('registers again when somebody has deleted the Node', async () => {
    await world.store.delete(nodeKind, { name: NODE }, {}, never);
    await world.clock.advance(100);
    expect(world.condition('Ready')).toMatchObject({ status: 'True' });
  });

  it('keeps its own labels, and leaves those of people alone', async () => {
    const node = world.node() as Node;
    const labels = { mine: 'yes' };
    await world.store.update(nodeKind, { ...node, metadata: { ...node.metadata, labels } }, never);
    await world.clock.advance(100);
    expect(world.node()?.metadata.labels).toEqual({
      mine: 'yes',
      'hostler.dev/host': NODE,
      'kubernetes.io/hostname': NODE,
    });
  });

  it('takes spec.reserved off what may be asked for', async () => {
    const node = world.node() as Node;
    await world.store.update(
      nodeKind,
      { ...node, spec: { reserved: { cpu: '500m', memory: '1Gi' } } },
      never,
    );
    await world.clock.advance(100);
    expect(world.node()?.status?.allocatable).toEqual({ cpu: '3500m', memory: '7Gi' });
  });

  it('says Ready again when the controller has said Unknown', async () => {
    const node = world.node() as Node;
    const conditions = (node.status?.conditions ?? []).map((old) => ({ ...old, status: 'Unknown' as const }));
    await world.store.updateStatus<Node>(
      nodeKind,
      { ...node, status: { ...node.status, conditions } },
      never,
    );
    await world.clock.advance(100);
    expect(world.condition('Ready')).toMatchObject({ status: 'True' });
  });

  const renewals = () =>
    world.store.calls.filter(({ verb, resource }) => verb === 'update' && resource === 'leases');

  it('does not look at its host when only the Node has changed: it says how far a drain is, or reserves more', async () => {
    await world.clock.advance(100);
    const looksOf = (): number => world.host.calls.filter((call) => call === 'describeHost').length;
    const looks = looksOf();
    const node = world.node() as Node;
    const drain = { phase: 'Draining', total: 2, moved: 1, moving: 1, waiting: 0, stopped: 0 } as const;
    const drained = { type: 'Drained', status: 'False', reason: 'Draining', message: '' } as const;
    const conditions = [
      ...(node.status?.conditions ?? []),
      { ...drained, lastTransitionTime: '2026-01-01T00:00:00Z' },
    ];
    await world.store.updateStatus(
      nodeKind,
      { ...node, status: { ...node.status, drain, conditions } },
      never,
    );
    await world.clock.advance(100);
    expect(looksOf()).toBe(looks);
    await world.store.mergePatch(
      nodeKind,
      { name: NODE },
      { body: { spec: { reserved: { cpu: '1' } } } },
      never,
    );
    await world.clock.advance(100);
    const { capacity, allocatable } = world.node()?.status ?? {};
    expect(Number(capacity?.cpu) - Number(allocatable?.cpu)).toBe(1);
    expect(looksOf()).toBe(looks);
    await world.clock.advance(60_000);
    expect(looksOf()).toBeGreaterThan(looks);
    expect(looks).toBeGreaterThan(0);
    expect(world.node()?.status?.drain).toMatchObject({ moved: 1 });
  });

  it('renews once a second, conditionally', async () => {
    const before = renewals().length;
    const term = world.lease()?.spec?.leaseTransitions;
    await world.clock.advance(10_000);
    expect(renewals().length - before).toBe(10);
    expect(world.lease()?.spec?.leaseTransitions).toBe(term);
    expect(world.lease()?.spec?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  it('only reads after a renewal whose reply was lost, until a read has succeeded', async () => {
    world.store.faults.loseReply({ verb: 'update', resource: 'leases' });
    world.store.faults.failNext('Unavailable', { verb: 'get', resource: 'leases', times: 3 });
    const before = world.store.calls.length;
    await world.clock.advance(3_000);
    const verbs = world.store.calls
      .slice(before)
      .filter(({ resource }) => resource === 'leases')
      .map(({ verb }) => verb);
    expect(verbs.slice(0, 6)).toEqual(['update', 'get', 'get', 'get', 'get', 'update']);
  });

  it('is not ready once the lease has run out, and is again after a renewal', async () => {
    world.store.faults.failNext('Unavailable', { resource: 'leases', times: 25 });
    await world.clock.advance(5_500);
    expect(world.agent().unready()).toEqual(['node-lease']);
    await world.clock.advance(5_000);
    expect(world.agent().ready()).toBe(true);
  });

  it.each(['', 'host-9'])(
    'never takes a lease that was revoked or is held by another (%p)',
    async (holderIdentity) => {
      const lease = world.lease() as Lease;
      world.leader.grants = false;
      await world.store.update<Lease>(leaseRef, { ...lease, spec: { ...lease.spec, holderIdentity } }, never);
      await world.clock.advance(10_000);
      expect(world.lease()?.spec?.holderIdentity).toBe(holderIdentity);
      expect(world.agent().ready()).toBe(false);
    },
  );

  it('takes a lease anew when it was deleted', async () => {
    await world.store.delete(leaseRef, { namespace: NODE_LEASE_NAMESPACE, name: NODE }, {}, never);
    await world.clock.advance(3_000);
    expect(world.lease()?.spec?.holderIdentity).toBe(NODE);
  });
});

describe('poolUsage', () => {
  const mi = 2 ** 20;
  it.each([
    ['rounds up to a 64th', 1, undefined, { total: '64Mi', used: '1Mi' }],
    ['says 0 of an empty pool', 0, undefined, { total: '64Mi', used: '0' }],
    ['stays within the step', 4.2 * mi, { total: '64Mi', used: '5Mi' }, { total: '64Mi', used: '5Mi' }],
    [
      'does not flutter at a border',
      3.9 * mi,
      { total: '64Mi', used: '5Mi' },
      { total: '64Mi', used: '5Mi' },
    ],
    ['follows a real fall', 3.4 * mi, { total: '64Mi', used: '5Mi' }, { total: '64Mi', used: '4Mi' }],
    ['follows a rise', 5.1 * mi, { total: '64Mi', used: '5Mi' }, { total: '64Mi', used: '6Mi' }],
    ['keeps a size that wavers', 0, { total: '64.2Mi', used: '0' }, { total: '67318580', used: '0' }],
    ['follows a size that grows', 0, { total: '32Mi', used: '0' }, { total: '64Mi', used: '0' }],
  ] as const)('%s', (_sentence, usedBytes, before, expected) => {
    expect(poolUsage({ totalBytes: 64 * mi, usedBytes }, before)).toEqual(expected);
  });

  it('says nothing of a size that the daemon does not tell', () => {
    expect(poolUsage({}, undefined)).toEqual({});
  });
});
