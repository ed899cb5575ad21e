import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import { type Bench, EventLog, never, remove, specOf } from './harness.ts';
import { until } from '../../support/waiting.ts';

export function instanceContract(get: () => Bench, { canLoseReplies = true } = {}): void {
  const start = async (name: string, more: object = {}) => {
    const bench = get();
    const fingerprint = await bench.driver.ensureImage(bench.image, never);
    const spec = { ...specOf(bench, name, fingerprint), ...more };
    return { bench, driver: bench.driver, spec };
  };

  describe('instances', () => {
    it('creates and starts one, and shows it with its mark and address', async () => {
      const { bench, driver, spec } = await start('born');
      const networks = [{ name: 'eth0', network: bench.network }];
      await driver.createInstance({ ...spec, networks, milliCpu: 1500 }, { start: true }, never);
      const seen = await driver.getInstance(spec.name, never);
      expect(seen).toMatchObject({
        name: spec.name,
        mark: spec.mark,
        status: 'Running',
        imageFingerprint: spec.imageFingerprint,
      });
      expect(Date.parse(seen?.createdAt ?? '')).not.toBeNaN();
      expect(Date.parse(seen?.lastStartedAt ?? '')).not.toBeNaN();
      expect(await driver.listInstances(never)).toContainEqual(seen);
      const addresses = await until('it has an address', async () => {
        const found = await driver.getAddresses(spec.name, never);
        return found.length > 0 ? found : undefined;
      });
      expect(addresses[0]).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      await remove(driver, spec);
      expect(await driver.getInstance(spec.name, never)).toBeUndefined();
      expect(await driver.getAddresses(spec.name, never)).toEqual([]);
    });

    it('starts, stops and deletes, each also the second time', async () => {
      const { driver, spec } = await start('twice');
      for (const _ of [1, 2]) await driver.createInstance(spec, { start: false }, never);
      const created = await driver.getInstance(spec.name, never);
      expect(created?.status).toBe('Stopped');
      expect(created?.lastStartedAt).toBeUndefined();
      expect(await driver.getAddresses(spec.name, never)).toEqual([]);
      for (const _ of [1, 2]) await driver.startInstance(spec.name, never);
      expect((await driver.getInstance(spec.name, never))?.status).toBe('Running');
      // A clean stop: the daemon would take all of the 25 s if the container did not end by itself.
      const begunMs = performance.now();
      for (const _ of [1, 2]) await driver.stopInstance(spec.name, 25_000, never);
      expect(performance.now() - begunMs).toBeLessThan(10_000);
      expect((await driver.getInstance(spec.name, never))?.status).toBe('Stopped');
      for (const _ of [1, 2]) await driver.deleteInstance(spec.name, spec.mark.uid, never);
      expect(await driver.getInstance(spec.name, never)).toBeUndefined();
      await driver.stopInstance(spec.name, 1_000, never);
    });

    it('refuses to start or update what is not there, and to delete what runs', async () => {
      const { driver, spec } = await start('refused');
      await expect(driver.startInstance(spec.name, never)).rejects.toMatchObject({ code: 'NotFound' });
      await expect(driver.updateInstance(spec, never)).rejects.toMatchObject({ code: 'NotFound' });
      await driver.createInstance(spec, { start: true }, never);
      const deletion = driver.deleteInstance(spec.name, spec.mark.uid, never);
      await expect(deletion).rejects.toMatchObject({ code: 'Conflict' });
      await remove(driver, spec);
    });

    it('starts on creation what an earlier attempt has created', async () => {
      const { driver, spec } = await start('resumed');
      await driver.createInstance(spec, { start: false }, never);
      await driver.createInstance(spec, { start: true }, never);
      expect((await driver.getInstance(spec.name, never))?.status).toBe('Running');
      await remove(driver, spec);
    });

    it('leaves alone what is not ours, and what belongs to another Container', async () => {
      const { bench, driver, spec } = await start('foreign');
      await bench.makeForeign(spec.name);
      expect((await driver.getInstance(spec.name, never))?.mark).toBeUndefined();
      expect((await driver.listInstances(never)).map(({ name }) => name)).not.toContain(spec.name);
      const creation = driver.createInstance(spec, { start: true }, never);
      await expect(creation).rejects.toMatchObject({ code: 'AlreadyExists' });
      for (const call of [
        driver.startInstance(spec.name, never),
        driver.stopInstance(spec.name, 0, never),
        driver.updateInstance(spec, never),
        driver.deleteInstance(spec.name, spec.mark.uid, never),
      ]) {
        await expect(call).rejects.toMatchObject({ code: 'Forbidden' });
      }
      expect((await driver.getInstance(spec.name, never))?.status).toBe('Running');
      await bench.removeForeign(spec.name);

      await driver.createInstance(spec, { start: false }, never);
      const other = { ...spec, mark: { ...spec.mark, uid: 'uid-other' } };
      await expect(driver.createInstance(other, { start: true }, never)).rejects.toMatchObject({
        code: 'AlreadyExists',
      });
      await expect(driver.updateInstance(other, never)).rejects.toMatchObject({ code: 'Forbidden' });
      await expect(driver.deleteInstance(spec.name, 'uid-other', never)).rejects.toMatchObject({
        code: 'Forbidden',
      });
      await remove(driver, spec);
    });

    it.each([
      ['an unknown key', { config: { 'no.such': '1' } }, /no\.such/],
      ['a bad value', { config: { 'security.nesting': 'maybe' } }, /maybe/],
      ["a key that is Hostler's own", { config: { 'boot.autostart': 'true' } }, /boot\.autostart/],
      ['a pool that is not there', { rootPool: 'nowhere' }, /pool/i],
      ['a network that is not there', { networks: [{ name: 'eth0', network: 'nowhere' }] }, /nowhere/],
      ['an image that is not there', { imageFingerprint: '0'.repeat(64) }, /image/i],
    ])('refuses %s with a message that says so, and leaves nothing behind', async (_case, more, message) => {
      const { driver, spec } = await start('bad', more);
      const creation = driver.createInstance(spec, { start: true }, never);
      await expect(creation).rejects.toMatchObject({
        code: 'Invalid',
        message: expect.stringMatching(message),
      });
      expect(await driver.getInstance(spec.name, never)).toBeUndefined();
    });

    it('updates what runs, and says what holds only from the next start on', async () => {
      const { driver, spec } = await start('changed', { milliCpu: 1000, memoryBytes: 2 ** 26 });
      await driver.createInstance(spec, { start: true }, never);
      const mark = { ...spec.mark, epoch: 2, generation: 2 };
      const larger = { ...spec, mark, milliCpu: 1500, memoryBytes: 2 ** 27 };
      expect(await driver.updateInstance(larger, never)).toEqual({ restartRequired: [] });
      expect((await driver.getInstance(spec.name, never))?.mark).toEqual(mark);

      const nested = { ...larger, config: { 'security.nesting': 'true' } };
      for (const _ of ['when it changes', 'as long as it was not started again']) {
        expect(await driver.updateInstance(nested, never)).toEqual({ restartRequired: ['security.nesting'] });
      }
      expect(await driver.updateInstance(larger, never)).toEqual({ restartRequired: [] });
      await driver.updateInstance(nested, never);
      await driver.stopInstance(spec.name, 0, never);
      expect(await driver.updateInstance(nested, never)).toEqual({ restartRequired: [] });
      await driver.startInstance(spec.name, never);
      expect(await driver.updateInstance(nested, never)).toEqual({ restartRequired: [] });
      const bad = { ...nested, config: { 'no.such': '1' } };
      await expect(driver.updateInstance(bad, never)).rejects.toMatchObject({ code: 'Invalid' });
      await remove(driver, spec);
    });

    it('changes nothing when all is as it should be', async () => {
      const { driver, spec } = await start('calm');
      await driver.createInstance(spec, { start: true }, never);
      const events = new EventLog(driver);
      await events.until(() => events.count('resync') > 0);
      await driver.updateInstance(spec, never);
      await remove(driver, spec);
      await events.until(() => events.of(spec.name).some(({ type }) => type === 'deleted'));
      expect(events.count('updated')).toBe(0);
      await events.stop();
    });

    (canLoseReplies ? it : it.skip).each([
      ['createInstance', 'Running'],
      ['startInstance', 'Running'],
      ['stopInstance', 'Stopped'],
      ['deleteInstance', undefined],
    ] as const)('gets where it should when the reply to %s is lost', async (change, status) => {
      const { bench, driver, spec } = await start(`lost${change.length}`);
      const run = {
        createInstance: () => driver.createInstance(spec, { start: true }, never),
        startInstance: () => driver.startInstance(spec.name, never),
        stopInstance: () => driver.stopInstance(spec.name, 0, never),
        deleteInstance: () => driver.deleteInstance(spec.name, spec.mark.uid, never),
      }[change];
      if (change !== 'createInstance') {
        await driver.createInstance(spec, { start: change === 'stopInstance' }, never);
      }
      bench.loseReply?.(change);
      // One lost reply may be made good by the driver itself; if not, it says so, and the caller's next try succeeds.
      await run().catch(async (error: unknown) => {
        expect(error).toMatchObject({ code: 'Unavailable' });
        await run();
      });
      expect((await driver.getInstance(spec.name, never))?.status).toBe(status);
      await remove(driver, spec);
    });

    it('rejects with Aborted when its signal is', async () => {
      const { driver, spec } = await start('aborted');
      const signal = AbortSignal.abort();
      const creation = driver.createInstance(spec, { start: true }, signal);
      expect(await creation.then(() => 'done', errorCode)).toBe('Aborted');
      expect(await driver.getInstance(spec.name, never)).toBeUndefined();
    });
  });
}
