import { describe, expect, it } from '@jest/globals';
import { type Bench, EventLog, never, remove, specOf } from './harness.ts';
import { until } from '../../support/waiting.ts';

/** Facts, events, and a daemon that goes away and comes back. */
export function daemonContract(get: () => Bench): void {
  it('describes the host', async () => {
    const { driver, network } = get();
    const facts = await driver.describeHost(never);
    expect(['incus', 'lxd']).toContain(facts.runtime);
    expect(facts.runtimeVersion).toMatch(/^\d+\.\d+/);
    expect(facts.cpuCount).toBeGreaterThan(0);
    expect(facts.memoryBytes).toBeGreaterThan(2 ** 20);
    expect(facts.networks).toContain(network);
    expect(facts.addresses[0]).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    for (const word of [facts.kernelVersion, facts.operatingSystem, facts.architecture, facts.hostname]) {
      expect(word).not.toBe('');
    }
  });

  describe('events', () => {
    it('tells an end that was asked for from one that was not, and says nothing about what is not ours', async () => {
      const bench = get();
      const { driver } = bench;
      const spec = specOf(bench, 'watched', await driver.ensureImage(bench.image, never));
      const { name } = spec;
      const events = new EventLog(driver);
      await events.until(() => events.count('resync') === 1);
      await bench.makeForeign('stranger');
      await driver.createInstance(spec, { start: true }, never);
      await events.until(() => events.of(name).length === 2);
      await bench.killInit(name);
      await events.until(() => events.of(name).length === 3);
      expect((await driver.getInstance(name, never))?.status).toBe('Stopped');
      await driver.startInstance(name, never);
      await driver.stopInstance(name, 20_000, never);
      await driver.startInstance(name, never);
      await driver.stopInstance(name, 0, never);
      await bench.removeForeign('stranger');
      await driver.deleteInstance(name, spec.mark.uid, never);
      await events.until(() => events.of(name).some(({ type }) => type === 'deleted'));
      expect(events.of(name)).toEqual([
        { type: 'created', name },
        { type: 'started', name },
        { type: 'stopped', name, requested: false },
        { type: 'started', name },
        { type: 'stopped', name, requested: true },
        { type: 'started', name },
        { type: 'stopped', name, requested: true },
        { type: 'deleted', name },
      ]);
      expect(events.of('stranger')).toEqual([]);
      await events.stop();
    });
  });

  describe('a daemon that is gone', () => {
    it('finishes, when asked again, a creation in whose midst it was killed', async () => {
      const bench = get();
      const { driver } = bench;
      const fingerprint = await driver.ensureImage(bench.image, never);
      for (const again of ['create', 'start'] as const) {
        const spec = specOf(bench, `half-${again}`, fingerprint);
        const creation = driver
          .createInstance(spec, { start: false }, never)
          .catch((error: unknown) => error);
        await until('the creation has begun', () => driver.getInstance(spec.name, never), { pollMs: 5 });
        await bench.stopDaemon();
        await creation;
        await bench.startDaemon();
        if (again === 'create') await driver.createInstance(spec, { start: true }, never);
        else await driver.startInstance(spec.name, never);
        expect(await driver.getInstance(spec.name, never)).toMatchObject({
          status: 'Running',
          mark: spec.mark,
        });
        await remove(driver, spec);
      }
    });

    it('is Unavailable; what runs goes on; events resume with resync', async () => {
      const bench = get();
      const { driver } = bench;
      const fingerprint = await driver.ensureImage(bench.image, never);
      const survivor = specOf(bench, 'survivor', fingerprint);
      const victim = specOf(bench, 'victim', fingerprint);
      await driver.createInstance(survivor, { start: true }, never);
      await driver.createInstance(victim, { start: true }, never);
      const before = await driver.getInstance(survivor.name, never);
      const events = new EventLog(driver);
      await events.until(() => events.count('resync') === 1);

      await bench.stopDaemon();
      for (const call of [
        driver.listInstances(never),
        driver.getInstance(survivor.name, never),
        driver.startInstance(survivor.name, never),
        driver.describeHost(never),
        driver.ensureImage(bench.image, never),
        driver.listPools(never),
      ]) {
        await expect(call).rejects.toMatchObject({ code: 'Unavailable' });
      }
      await bench.startDaemon();
      await events.until(() => events.count('resync') === 2);
      expect(await driver.getInstance(survivor.name, never)).toEqual(before);
      await bench.killInit(victim.name);
      await events.until(() => events.of(victim.name).some(({ type }) => type === 'stopped'));
      expect(events.of(victim.name)).toEqual([{ type: 'stopped', name: victim.name, requested: false }]);
      await remove(driver, survivor);
      await remove(driver, victim);
      await events.stop();
    });
  });
}
