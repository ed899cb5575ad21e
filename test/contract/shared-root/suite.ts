import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { errorCode, messageOf } from '../../../src/ports/errors.ts';
import type { HostDriver, InstanceSpec, SharedRoot } from '../../../src/ports/host-driver.ts';
import { never } from '../host-driver/harness.ts';

/** Two hosts that see one folder. */
export interface SharedBench {
  hostA: HostDriver;
  hostB: HostDriver;
  image: string;
  network: string;
  /** A folder of its own on the shared storage; empty. */
  folder(name: string): Promise<string>;
  /** Puts `text` into the root of an instance, from its folder. */
  write(source: string, instance: string, text: string): Promise<void>;
  /** What is there now; undefined: the file, or all of the root, is gone. */
  read(source: string, instance: string): Promise<string | undefined>;
  /** Leaves what a daemon leaves that loses its power while it recovers: the instance without its volume. */
  cutShort(host: HostDriver, root: SharedRoot): Promise<void>;
  /** Whether the daemon can show a folder with the owners as the instance knows them. */
  shiftsOwners: boolean;
  /** Whether root in the instance, which sees `source` at /srv/data, can write there and finds what the one before wrote. */
  seenInside(host: HostDriver, instance: string, source: string): Promise<boolean>;
  stop(): Promise<void>;
}

/** What every HostDriver must do with roots on shared storage. */
export function sharedRootContract(
  title: string,
  start: () => Promise<SharedBench>,
  { skip }: { skip?: string | undefined } = {},
): void {
  const section = skip === undefined ? describe : describe.skip;
  section(skip === undefined ? title : `${title}: skipped: ${skip}`, () => {
    let bench: SharedBench;
    beforeAll(async () => {
      bench = await start();
    }, 90_000);
    afterAll(async () => {
      await bench?.stop();
    }, 60_000);

    const create = async (
      name: string,
      host: HostDriver,
    ): Promise<{ spec: InstanceSpec; root: SharedRoot }> => {
      const imageFingerprint = await host.ensureImage(bench.image, never);
      const source = await bench.folder(name);
      const root = { name: `${name}--default`, uid: `uid-${name}`, pool: `hostler-uid-${name}`, source };
      const spec: InstanceSpec = {
        name: root.name,
        mark: { uid: root.uid, namespace: 'default', name, epoch: 3, generation: 2 },
        imageFingerprint,
        rootPool: root.pool,
        rootSource: source,
        networks: [{ name: 'eth0', network: bench.network }],
        config: { 'limits.processes': '50' },
      };
      await host.createInstance(spec, { start: false }, never);
      return { spec, root };
    };
    const poolNames = async (host: HostDriver) => (await host.listPools(never)).map(({ name }) => name);

    it('goes on with its data on another host, and back, and the host before forgets it', async () => {
      const { hostA, hostB } = bench;
      const { spec, root } = await create('moves', hostA);
      await bench.write(root.source, root.name, 'first');
      await hostA.startInstance(root.name, never);
      await hostA.stopInstance(root.name, 0, never);
      const ways = [
        [hostA, hostB, 3],
        [hostB, hostA, 4],
      ] as const;
      for (const [from, to, epoch] of ways) {
        for (const _ of [1, 2]) await from.forgetInstance(root, never);
        expect(await from.getInstance(root.name, never)).toBeUndefined();
        expect(await poolNames(from)).not.toContain(root.pool);
        expect(await bench.read(root.source, root.name)).toBe('first');
        for (const _ of [1, 2]) await to.recoverInstance(root, never);
        const seen = await to.getInstance(root.name, never);
        expect(seen).toMatchObject({ mark: { ...spec.mark, epoch }, status: 'Stopped', isRootShared: true });
        await to.updateInstance({ ...spec, mark: { ...spec.mark, epoch: epoch + 1 } }, never);
        await to.startInstance(root.name, never);
        expect(await to.getInstance(root.name, never)).toMatchObject({
          mark: { epoch: epoch + 1 },
          status: 'Running',
          isRootShared: true,
        });
        expect(await bench.read(root.source, root.name)).toBe('first');
        await to.stopInstance(root.name, 0, never);
      }
      await hostA.forgetInstance(root, never);
    }, 60_000);

    it('is known to both while the old host has not heard of the move; its forgetting takes nothing away', async () => {
      const { hostA, hostB } = bench;
      const { root } = await create('late', hostA);
      await hostB.recoverInstance(root, never);
      await hostB.startInstance(root.name, never);
      await bench.write(root.source, root.name, 'later');
      await hostA.forgetInstance(root, never);
      expect(await bench.read(root.source, root.name)).toBe('later');
      expect(await hostB.getInstance(root.name, never)).toMatchObject({ status: 'Running' });
      await hostB.stopInstance(root.name, 0, never);
      await hostB.startInstance(root.name, never);
      await hostB.stopInstance(root.name, 0, never);
      await hostB.forgetInstance(root, never);
    }, 60_000);

    /** Known to host B without its volume, under epoch 4. */
    const halfRecovered = async (name: string) => {
      const { hostA, hostB } = bench;
      const { spec, root } = await create(name, hostA);
      await bench.write(root.source, root.name, 'whole');
      await hostA.forgetInstance(root, never);
      await hostB.recoverInstance(root, never);
      await hostB.updateInstance({ ...spec, mark: { ...spec.mark, epoch: 4 } }, never);
      await bench.cutShort(hostB, root);
      return { spec, root };
    };
    const goesOnWhole = async (host: HostDriver, root: SharedRoot) => {
      await host.recoverInstance(root, never);
      await host.startInstance(root.name, never);
      expect(await host.getInstance(root.name, never)).toMatchObject({
        status: 'Running',
        isRootShared: true,
      });
      expect(await bench.read(root.source, root.name)).toBe('whole');
      await host.stopInstance(root.name, 0, never);
      await host.forgetInstance(root, never);
    };

    it('starts where only the instance was recovered, once it has its settings again', async () => {
      const { hostA, hostB } = bench;
      const { spec, root } = await halfRecovered('half-started');
      const first = await hostB.startInstance(root.name, never).then(() => 'done', errorCode);
      expect(['done', 'Conflict']).toContain(first);
      await hostB.updateInstance({ ...spec, mark: { ...spec.mark, epoch: 4 } }, never);
      await hostB.startInstance(root.name, never);
      expect(await hostB.getInstance(root.name, never)).toMatchObject({
        mark: { epoch: 4 },
        status: 'Running',
      });
      expect(await poolNames(hostB)).toContain(root.pool);
      await hostB.stopInstance(root.name, 0, never);
      await goesOnWhole(hostB, root);
      await goesOnWhole(hostA, root);
    }, 60_000);

    it('is changed where only the instance was recovered, and then whole', async () => {
      const { hostB } = bench;
      const { spec, root } = await halfRecovered('half-changed');
      const config = { 'limits.processes': '60' };
      await hostB.updateInstance({ ...spec, mark: { ...spec.mark, epoch: 5 }, config }, never);
      expect(await hostB.getInstance(root.name, never)).toMatchObject({
        mark: { epoch: 5 },
        status: 'Stopped',
      });
      await goesOnWhole(hostB, root);
    }, 60_000);

    it('is forgotten where only the instance was recovered, and goes on elsewhere', async () => {
      const { hostA, hostB } = bench;
      const { root } = await halfRecovered('half-forgotten');
      await hostB.forgetInstance(root, never);
      expect(await hostB.getInstance(root.name, never)).toBeUndefined();
      await goesOnWhole(hostA, root);
    }, 60_000);

    it('is never deleted, neither the instance nor its pool', async () => {
      const { hostA } = bench;
      const { spec, root } = await create('kept', hostA);
      await bench.write(root.source, root.name, 'kept');
      const { rootSource: _, ...bare } = spec;
      await hostA.updateInstance({ ...bare, config: {} }, never);
      await expect(hostA.deleteInstance(root.name, root.uid, never)).rejects.toMatchObject({
        code: 'Forbidden',
      });
      await expect(hostA.deletePool(root.pool, root.uid, never)).rejects.toMatchObject({ code: 'Forbidden' });
      expect(await bench.read(root.source, root.name)).toBe('kept');
      await hostA.forgetInstance(root, never);
    });

    it('is not forgotten while it runs', async () => {
      const { hostA } = bench;
      const { root } = await create('runs', hostA);
      await hostA.startInstance(root.name, never);
      await expect(hostA.forgetInstance(root, never)).rejects.toMatchObject({ code: 'Conflict' });
      expect(await hostA.getInstance(root.name, never)).toMatchObject({ status: 'Running' });
      await hostA.stopInstance(root.name, 0, never);
      await hostA.forgetInstance(root, never);
    });

    it('sees a folder of the host as a volume, which outlives it and goes on elsewhere', async () => {
      const source = await bench.folder('volume');
      for (const host of [bench.hostA, bench.hostB]) {
        const spec: InstanceSpec = {
          name: 'volume--default',
          mark: { uid: 'uid-volume', namespace: 'default', name: 'volume', epoch: 1, generation: 1 },
          imageFingerprint: await host.ensureImage(bench.image, never),
          rootPool: 'default',
          volumes: [{ name: 'data', source, path: '/srv/data', readOnly: false }],
          networks: [],
          config: {},
        };
        const outcome = await host.createInstance(spec, { start: true }, never).then(() => 'made', messageOf);
        expect(outcome).toMatch(bench.shiftsOwners ? /^made$/ : /idmapping abilities are required/);
        const isSeen = outcome === 'made' && (await bench.seenInside(host, spec.name, source));
        expect(isSeen).toBe(bench.shiftsOwners);
        const volumes = [{ name: 'data', source, path: '/srv/data', readOnly: true }];
        await host.updateInstance({ ...spec, volumes }, never);
        await host.updateInstance({ ...spec, volumes: [] }, never);
        await host.stopInstance(spec.name, 0, never);
        await host.deleteInstance(spec.name, spec.mark.uid, never);
      }
    }, 60_000);

    it('is not recovered from a folder that has none', async () => {
      const { hostB } = bench;
      const source = await bench.folder('empty');
      const root = { name: 'empty--default', uid: 'uid-empty', pool: 'hostler-uid-empty', source };
      await expect(hostB.recoverInstance(root, never)).rejects.toMatchObject({ code: 'NotFound' });
      expect(await hostB.getInstance(root.name, never)).toBeUndefined();
    });

    it('is not mixed up with one of another Container, or on a pool of the host', async () => {
      const { hostA, hostB } = bench;
      const { root } = await create('mine', hostA);
      const stranger = { ...root, uid: 'uid-other' };
      await expect(hostA.forgetInstance(stranger, never)).rejects.toMatchObject({ code: 'Forbidden' });
      await expect(hostA.recoverInstance(stranger, never)).rejects.toMatchObject({ code: 'Forbidden' });
      const imageFingerprint = await hostB.ensureImage(bench.image, never);
      const local: InstanceSpec = {
        name: root.name,
        mark: { uid: root.uid, namespace: 'default', name: 'mine', epoch: 1, generation: 1 },
        imageFingerprint,
        rootPool: 'default',
        networks: [],
        config: {},
      };
      await hostB.createInstance(local, { start: false }, never);
      await expect(hostB.forgetInstance(root, never)).rejects.toMatchObject({ code: 'Forbidden' });
      await expect(hostB.recoverInstance(root, never)).rejects.toMatchObject({ code: 'Forbidden' });
      await hostB.deleteInstance(root.name, root.uid, never);
      await hostA.forgetInstance(root, never);
    });
  });
}
