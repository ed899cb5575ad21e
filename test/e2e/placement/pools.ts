import { expect } from '@jest/globals';
import type { StoragePool } from '../../../src/crds/storage-pool.ts';
import { eventually } from '../../support/waiting.ts';
import { clusterObject, container, hostsWithPool, pool, type Scene, type Trial } from '../scene.ts';
import { unschedulable } from './nodes.ts';

const FAST = { nodeSelector: { 'test/disk': 'fast' } };

export function describePools(trial: Trial): void {
  trial.it('are made on the selected nodes only, with their size and usage', async (scene) => {
    const name = poolName(scene, 'fast');
    await labelNodes(scene, 'host-1', 'host-3');
    await scene.apply(pool(name, { ...FAST, reclaimPolicy: 'Delete' }));
    const { status } = await untilPool(scene, name, (found) => found.status?.readyNodes === 2);
    expect(await hostsWithPool(scene.cluster, name)).toEqual(['host-1', 'host-3']);
    expect(status).toMatchObject({ selectedNodes: 2, containers: 0 });
    expect(Object.keys(status?.nodes ?? {})).toEqual(['host-1', 'host-3']);
    expect(status?.nodes?.['host-1']).toMatchObject({
      ready: true,
      total: expect.stringMatching(/^\d+[KMG]i$/),
    });
    expect(status?.nodes?.['host-1']?.used).toBeDefined();
    const row = await scene.kubectl('get', 'storagepool', name, '--no-headers');
    expect(row).toMatch(new RegExp(`^${name} +dir +2 +2 +0 `));

    await scene.kubectl('label', 'node', 'host-2', 'test/disk=fast');
    await untilPool(scene, name, (found) => found.status?.readyNodes === 3);
    expect(await hostsWithPool(scene.cluster, name)).toEqual(['host-1', 'host-2', 'host-3']);
  });

  trial.it('that are missing hold a container back until they are there', async (scene) => {
    const name = poolName(scene, 'due');
    await scene.apply(container('early', { rootPool: name }));
    await unschedulable(scene, 'early', `0/3 nodes fit: 3 storage pool ${name} not found`);
    await labelNodes(scene, 'host-2');
    await scene.apply(pool(name, { ...FAST, reclaimPolicy: 'Delete' }));
    await scene.untilReady('early');
    const { host, devices } = await scene.instance('early');
    expect(host.name).toBe('host-2');
    expect(devices['root']).toMatchObject({ pool: name });
  });

  trial.it('in use are not deleted, and say by whom they are used', async (scene) => {
    const name = poolName(scene, 'busy');
    await scene.apply(pool(name, { reclaimPolicy: 'Delete' }), container('user', { rootPool: name }));
    await scene.untilReady('user');
    const refusal = await scene.refused('delete', 'storagepool', name);
    expect(refusal).toContain(`it holds the root or a volume of 1 container: ${scene.namespace}/user`);
    expect(await hostsWithPool(scene.cluster, name)).toHaveLength(3);
    await untilPool(scene, name, ({ metadata, status }) => {
      expect(metadata.deletionTimestamp).toBeUndefined();
      return status?.containers === 1;
    });
    await scene.kubectl('delete', 'container', 'user');
    await scene.kubectl('delete', 'storagepool', name, '--timeout=20s');
    expect(await hostsWithPool(scene.cluster, name)).toEqual([]);
  });

  trial.it('leave their data on the hosts when they are to be retained', async (scene) => {
    const name = poolName(scene, 'kept');
    await scene.apply(pool(name, { reclaimPolicy: 'Retain' }));
    await untilPool(scene, name, (found) => found.status?.readyNodes === 3);
    await scene.kubectl('delete', 'storagepool', name, '--timeout=20s');
    expect(await hostsWithPool(scene.cluster, name)).toHaveLength(3);
    for (const host of scene.cluster.hosts) {
      scene.later(() => host.ask('DELETE', `/1.0/storage-pools/${name}`));
    }
  });

  trial.it("never touch a pool of the same name that is not Hostler's", async (scene) => {
    const name = poolName(scene, 'foreign');
    const host = scene.cluster.host('host-2');
    const path = `/1.0/storage-pools/${name}`;
    await host.ask('POST', '/1.0/storage-pools', { name, driver: 'dir', config: { 'user.owner': 'x' } });
    scene.later(() => host.ask('DELETE', path));
    const before = await host.ask('GET', path);
    await scene.apply(pool(name, { reclaimPolicy: 'Delete' }));
    const found = await untilPool(
      scene,
      name,
      ({ status }) => status?.nodes?.['host-2']?.reason === 'NameTaken',
    );
    expect(found.status?.nodes?.['host-2']?.ready).toBe(false);
    await untilPool(scene, name, ({ status }) => status?.readyNodes === 2);
    await scene.apply(container('guest', { rootPool: name, placement: { nodeName: 'host-2' } }));
    await unschedulable(
      scene,
      'guest',
      `0/3 nodes fit: 2 not the pinned node host-2, 1 storage pool ${name} not ready`,
    );
    await scene.kubectl('delete', 'container', 'guest');
    await scene.kubectl('delete', 'storagepool', name, '--timeout=20s');
    expect(await host.ask('GET', path)).toEqual(before);
    expect(await hostsWithPool(scene.cluster, name)).toEqual(['host-2']);
  });

  trial.it('of btrfs grow and never shrink', async (scene) => {
    const name = poolName(scene, 'grow');
    await labelNodes(scene, 'host-3');
    await scene.apply(pool(name, { ...FAST, driver: 'btrfs', size: '200Mi', reclaimPolicy: 'Delete' }));
    await untilPool(scene, name, (found) => found.status?.readyNodes === 1);
    const spec = { ...FAST, driver: 'btrfs', reclaimPolicy: 'Delete' };
    const smaller = await scene.cluster.kubectl.file(
      `${name}.json`,
      JSON.stringify(pool(name, { ...spec, size: '150Mi' })),
    );
    expect(await scene.refused('apply', '-f', smaller)).toMatch(
      /spec\.size: Forbidden: a pool cannot shrink \(from 200Mi to 150Mi\)/,
    );
    await scene.apply(pool(name, { ...spec, size: '300Mi' }));
    await eventually(
      'the daemon has made it larger',
      () =>
        scene.cluster.host('host-3').ask<{ config: { size: string } }>('GET', `/1.0/storage-pools/${name}`),
      (found) => found?.config.size === `${300 * 2 ** 20}B`,
    );
    await scene.apply(
      container('quota', { rootPool: name, resources: { cpu: '50m', memory: '32Mi', disk: '40Mi' } }),
    );
    await scene.untilReady('quota');
    expect((await scene.instance('quota')).devices['root']).toMatchObject({ size: String(40 * 2 ** 20) });
    const patch = JSON.stringify({ spec: { resources: { disk: '20Mi' } } });
    expect(await scene.refused('patch', 'container', 'quota', '--type=merge', '-p', patch)).toMatch(
      /spec\.resources\.disk: Forbidden: a disk cannot shrink/,
    );
    await scene.apply(
      container('quota', { rootPool: name, resources: { cpu: '50m', memory: '32Mi', disk: '60Mi' } }),
    );
    await scene.untilReady('quota');
    expect((await scene.instance('quota')).devices['root']).toMatchObject({ size: String(60 * 2 ** 20) });
    await scene.kubectl('delete', 'container', 'quota');
  });
}

/** A pool's name for this test alone, and the end of the pool with the test. */
function poolName(scene: Scene, name: string): string {
  const unique = `${name}-${scene.namespace}`;
  scene.about(`storagepool/${unique}`);
  scene.later(async () => {
    await scene.kubectl('delete', 'containers', '--all', '--timeout=20s');
    await scene.kubectl('delete', 'storagepool', unique, '--ignore-not-found', '--timeout=20s');
  });
  return unique;
}

async function labelNodes(scene: Scene, ...nodes: string[]): Promise<void> {
  scene.later(() => scene.kubectl('label', 'nodes', '--all', 'test/disk-'));
  await scene.kubectl('label', 'nodes', ...nodes, 'test/disk=fast');
}

async function untilPool(
  scene: Scene,
  name: string,
  isRight: (found: StoragePool) => boolean,
): Promise<StoragePool> {
  return (await eventually(
    `storage pool ${name} is as it should be`,
    () => clusterObject<StoragePool>(scene.cluster, 'storagepools', name),
    (found) => found !== undefined && isRight(found),
  )) as StoragePool;
}
