import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { containerKind } from '../../../src/crds/container.ts';
import { type StoragePool, storagePoolKind, type StoragePoolSpec } from '../../../src/crds/storage-pool.ts';
import { storagePool } from '../../support/cluster-objects.ts';
import { createFakeFilesystem, type FakeFilesystem } from '../../support/fake-folders.ts';
import { type AgentWorld, createAgentWorld, NODE } from './agent-world.ts';

const never = new AbortController().signal;
const SOURCE = '/mnt/shared';
const ROOT = 'roots/default_web_uid-web';
const POOL = 'hostler-uid-web';

describe('containers on shared storage', () => {
  let world: AgentWorld;
  let filesystem: FakeFilesystem;

  /** A Shared pool, and a leader that makes this node its anchor. */
  const share = async (spec: Partial<StoragePoolSpec> = {}) => {
    world.store.seed(storagePool('shared', { spec: { access: 'Shared', source: SOURCE, ...spec } }));
    await world.clock.advance(100);
    const proof = world.node()?.status?.pools?.find(({ name }) => name === 'shared')?.proof;
    if (proof === undefined) return;
    const pool = world.store
      .all<StoragePool>(storagePoolKind)
      .find(({ metadata }) => metadata.name === 'shared');
    const status = { anchor: { node: NODE, proof } };
    await world.store.updateStatus(storagePoolKind, { ...(pool as StoragePool), status }, never);
    await world.clock.advance(1_100);
  };
  const moveAway = () =>
    world.change('web', (old) => ({ status: { ...old.status, nodeName: 'host-2', epoch: 2 } }));
  const remove = async (name: string) => {
    await world.store.delete(containerKind, { namespace: 'default', name }, {}, never);
    await world.clock.advance(2_000);
  };
  /** What another host has left there. */
  const leave = (path: string) => {
    filesystem.folders.set(path, ['containers']);
    const spec = {
      name: 'web--default',
      mark: { uid: 'uid-web', namespace: 'default', name: 'web', epoch: 1, generation: 1 },
      imageFingerprint: 'b'.repeat(64),
      rootPool: POOL,
      rootSource: `${SOURCE}/${path}`,
      networks: [],
      config: {},
    };
    world.host.sharedRoots.set(`${SOURCE}/${path}`, { spec, createdAt: '2026-01-01T00:00:00Z' });
  };

  beforeEach(async () => {
    world = createAgentWorld();
    filesystem = createFakeFilesystem();
    world.folders.mounts.set(SOURCE, filesystem);
    await world.start();
  });

  afterEach(() => world.stop());

  it('wait for their pool, and say so', async () => {
    world.folders.mounts.delete(SOURCE);
    await share();
    world.place('web', { rootPool: 'shared', power: 'Stopped' });
    await world.clock.advance(100);
    expect(world.ready('web')).toMatchObject({ status: 'False', reason: 'PoolNotReady' });
    expect(world.ready('web')?.message).toMatch(/Nothing is mounted at \/mnt\/shared/);
    expect(world.calls('createInstance')).toEqual([]);
  });

  it('keep no other node waiting for the answer to its proof', async () => {
    await share();
    const pool = world.store
      .all<StoragePool>(storagePoolKind)
      .find(({ metadata }) => metadata.name === 'shared') as StoragePool;
    const nodes = { 'host-2': { ready: false, reason: 'Proving', message: '', proof: 'of-host-2' } };
    await world.store.updateStatus(storagePoolKind, { ...pool, status: { ...pool.status, nodes } }, never);
    await world.clock.advance(500);
    expect(filesystem.notes.get('host-2.answer')).toBe('of-host-2');
  });

  it('get a folder and a pool of their own for the root', async () => {
    await share();
    world.place('web', { rootPool: 'shared', power: 'Stopped' });
    await world.clock.advance(100);
    expect(world.host.instances.get('web--default')?.spec).toMatchObject({
      rootPool: POOL,
      rootSource: `${SOURCE}/${ROOT}`,
    });
    expect(world.host.pools.has('shared')).toBe(false);
    expect(filesystem.folders.has(ROOT)).toBe(true);
  });

  it('see a folder for each volume, on the host’s own pools too', async () => {
    await share();
    world.store.seed(storagePool('fast', { metadata: { uid: 'uid-fast' } }));
    await world.clock.advance(100);
    world.place('web', {
      volumes: [
        { name: 'data', pool: 'shared', path: '/srv' },
        { name: 'cache', pool: 'fast', path: '/var/cache', readOnly: true },
      ],
    });
    await world.clock.advance(200);
    expect(world.host.instances.get('web--default')?.spec.volumes).toEqual([
      { name: 'data', source: `${SOURCE}/volumes/default_web_data`, path: '/srv', readOnly: false },
      {
        name: 'cache',
        source: '/storage-pools/fast/volumes/default_web_cache',
        path: '/var/cache',
        readOnly: true,
      },
    ]);
  });

  it('go on with a root that lies there already, brought up to this placement', async () => {
    await share();
    leave(ROOT);
    world.place('web', { rootPool: 'shared', power: 'Stopped' }, { epoch: 2 });
    await world.clock.advance(200);
    expect(world.calls('recoverInstance')).toHaveLength(1);
    expect(world.calls('createInstance')).toEqual([]);
    expect(world.host.instances.get('web--default')?.spec.mark).toMatchObject({ epoch: 2 });
    expect(world.reasons()).toContain('Recovered');
  });

  it('begin with a fresh root where they are to be made anew; the old one is put aside', async () => {
    await share();
    leave(ROOT);
    world.place(
      'web',
      { rootPool: 'shared', power: 'Stopped', failover: { policy: 'Recreate' } },
      { epoch: 2, lostFrom: 'host-2' },
    );
    await world.clock.advance(200);
    expect(world.calls('recoverInstance')).toEqual([]);
    expect(world.calls('createInstance')).toHaveLength(1);
    expect(filesystem.folders.has(`${ROOT}.aside`)).toBe(true);
  });

  it('keep their root when they are moved on purpose, even if a loss would make them anew', async () => {
    await share();
    leave(ROOT);
    world.place(
      'web',
      { rootPool: 'shared', power: 'Stopped', failover: { policy: 'Recreate' } },
      { epoch: 2 },
    );
    await world.clock.advance(200);
    expect(world.calls('recoverInstance')).toHaveLength(1);
    expect(world.calls('createInstance')).toEqual([]);
    expect(filesystem.folders.has(`${ROOT}.aside`)).toBe(false);
  });

  it('are made anew once: what was forgotten here for a move that came to nothing has its root', async () => {
    await share();
    world.place(
      'web',
      { rootPool: 'shared', power: 'Stopped', failover: { policy: 'Recreate' } },
      { epoch: 2, lostFrom: 'host-2' },
    );
    await world.clock.advance(200);
    expect(world.calls('createInstance')).toHaveLength(1);
    filesystem.folders.set(ROOT, ['containers']);
    const nodes = { source: NODE, target: 'host-2' };
    const claim = { name: 'm', uid: 'uid-m', ...nodes, stage: 'Held', transfer: 'Shared' } as const;
    await world.change('web', (old) => ({ status: { ...old.status, epoch: 3, migration: claim } }));
    await world.clock.advance(2_000);
    expect(world.host.instances.has('web--default')).toBe(false);
    await world.change('web', ({ status: { migration: _claim, ...kept } = {} }) => ({
      status: { ...kept, epoch: 4 },
    }));
    await world.clock.advance(2_000);
    expect(world.host.instances.has('web--default')).toBe(true);
    expect(world.calls('recoverInstance')).toHaveLength(1);
    expect(world.calls('createInstance')).toHaveLength(1);
    expect(filesystem.folders.has(`${ROOT}.aside`)).toBe(false);
  });

  it('put aside what a creation that was cut short has left, and never what is whole', async () => {
    await share();
    filesystem.folders.set(ROOT, ['containers']);
    world.place('web', { rootPool: 'shared', power: 'Stopped' });
    await world.clock.advance(200);
    expect(world.calls('createInstance')).toHaveLength(1);
    expect(filesystem.folders.has(`${ROOT}.aside`)).toBe(true);
  });

  it('are forgotten, not deleted, when they are placed elsewhere', async () => {
    await share();
    world.place('web', { rootPool: 'shared', power: 'Stopped' });
    await world.clock.advance(100);
    await moveAway();
    await world.clock.advance(2_000);
    expect(world.host.instances.has('web--default')).toBe(false);
    expect(world.host.pools.has(POOL)).toBe(false);
    expect(world.calls('deleteInstance')).toEqual([]);
    expect(filesystem.folders.has(ROOT)).toBe(true);
    expect(world.host.sharedRoots.has(`${SOURCE}/${ROOT}`)).toBe(true);
    expect(world.folders.unmounted).toContain(POOL);
  });

  it.each([
    ['stays', 'Retain', true],
    ['goes', 'Delete', false],
  ] as const)('are deleted: their data %s with reclaimPolicy %s', async (_what, reclaimPolicy, isKept) => {
    await share({ reclaimPolicy });
    const volumes = [{ name: 'data', pool: 'shared', path: '/srv' }];
    world.place('web', { rootPool: 'shared', power: 'Stopped', volumes });
    await world.clock.advance(100);
    await remove('web');
    expect(world.container('web')).toBeUndefined();
    expect(world.host.instances.has('web--default')).toBe(false);
    expect(world.calls('deleteInstance')).toEqual([]);
    expect(filesystem.folders.has(ROOT)).toBe(isKept);
    expect(filesystem.folders.has('volumes/default_web_data')).toBe(isKept);
  });

  it('are deleted while the filesystem is away: what should have gone stays, and it is said', async () => {
    await share({ reclaimPolicy: 'Delete' });
    world.place('web', { power: 'Stopped', volumes: [{ name: 'data', pool: 'shared', path: '/srv' }] });
    await world.clock.advance(100);
    world.folders.mounts.delete(SOURCE);
    await remove('web');
    expect(world.container('web')).toBeUndefined();
    expect(filesystem.folders.has('volumes/default_web_data')).toBe(true);
    expect(world.events.find(({ reason }) => reason === 'DataKept')?.message).toMatch(
      /volumes\/default_web_data on storage pool shared/,
    );
  });
});
