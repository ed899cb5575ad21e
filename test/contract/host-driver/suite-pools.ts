import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import { type Bench, never, poolSpecOf, remove, specOf } from './harness.ts';

export function poolContract(get: () => Bench, { canLoseReplies = true } = {}): void {
  describe('pools', () => {
    it('creates and removes one, each also the second time', async () => {
      const { driver } = get();
      const spec = poolSpecOf('made');
      for (const _ of [1, 2]) await driver.ensurePool(spec, never);
      const seen = (await driver.listPools(never)).find(({ name }) => name === spec.name);
      expect(seen).toMatchObject({
        name: 'made',
        uid: spec.uid,
        driver: 'dir',
        status: 'Created',
        inUse: false,
      });
      expect(seen?.totalBytes).toBeGreaterThan(seen?.usedBytes ?? Number.NaN);
      for (const _ of [1, 2]) await driver.deletePool(spec.name, spec.uid, never);
      expect((await driver.listPools(never)).map(({ name }) => name)).not.toContain(spec.name);
    });

    it('leaves alone what is not ours, and shows it without a uid', async () => {
      const { driver, pool } = get();
      const seen = (await driver.listPools(never)).find(({ name }) => name === pool);
      expect(seen).toBeDefined();
      expect(seen?.uid).toBeUndefined();
      const spec = poolSpecOf(pool);
      await expect(driver.ensurePool(spec, never)).rejects.toMatchObject({ code: 'AlreadyExists' });
      await expect(driver.deletePool(pool, spec.uid, never)).rejects.toMatchObject({ code: 'Forbidden' });
    });

    it('does not remove one that is in use', async () => {
      const bench = get();
      const { driver } = bench;
      const pool = poolSpecOf('used');
      await driver.ensurePool(pool, never);
      const fingerprint = await driver.ensureImage(bench.image, never);
      const spec = { ...specOf(bench, 'inside', fingerprint), rootPool: pool.name };
      await driver.createInstance(spec, { start: false }, never);
      await expect(driver.deletePool(pool.name, pool.uid, never)).rejects.toMatchObject({ code: 'Conflict' });
      expect((await driver.listPools(never)).find(({ name }) => name === pool.name)?.inUse).toBe(true);
      await remove(driver, spec);
      await driver.deletePool(pool.name, pool.uid, never);
    });

    it('refuses a bad key with a message that names it', async () => {
      const spec = { ...poolSpecOf('bad'), config: { 'no.such': '1' } };
      const message = expect.stringMatching(/no\.such/);
      await expect(get().driver.ensurePool(spec, never)).rejects.toMatchObject({ code: 'Invalid', message });
      expect((await get().driver.listPools(never)).map(({ name }) => name)).not.toContain('bad');
    });

    it('makes one larger where the daemon can, and never smaller', async () => {
      const { driver, growsPools } = get();
      const spec = { ...poolSpecOf('sized'), driver: 'btrfs', sizeBytes: 256 * 2 ** 20 };
      await driver.ensurePool(spec, never);
      const larger = { ...spec, sizeBytes: 320 * 2 ** 20, config: { 'btrfs.mount_options': 'noatime' } };
      const growth = await driver.ensurePool(larger, never).then(() => 'grown', errorCode);
      expect(growth).toBe(growsPools ? 'grown' : 'Invalid');
      const seen = (await driver.listPools(never)).find(({ name }) => name === spec.name);
      expect(seen?.totalBytes).toBe(growsPools ? larger.sizeBytes : spec.sizeBytes);
      const smaller = { ...spec, sizeBytes: 128 * 2 ** 20 };
      await expect(driver.ensurePool(smaller, never)).rejects.toMatchObject({ code: 'Invalid' });
      await driver.deletePool(spec.name, spec.uid, never);
    });

    (canLoseReplies ? it : it.skip)('gets where it should when the reply is lost', async () => {
      const { driver, loseReply } = get();
      const spec = poolSpecOf('lost');
      loseReply?.('ensurePool');
      await driver.ensurePool(spec, never).catch(async (error: unknown) => {
        expect(error).toMatchObject({ code: 'Unavailable' });
        await driver.ensurePool(spec, never);
      });
      expect((await driver.listPools(never)).find(({ name }) => name === spec.name)?.uid).toBe(spec.uid);
      await driver.deletePool(spec.name, spec.uid, never);
    });
  });
}
