import { describe, expect, it } from '@jest/globals';
import { type Bench, EventLog, never, remove, specOf } from './harness.ts';

/** How the last run of an instance ended. */
export function endContract(get: () => Bench): void {
  describe('the last end', () => {
    it('is told by status, signal and poweroff; nothing is claimed of what runs or is not there', async () => {
      const bench = get();
      const { driver } = bench;
      const spec = specOf(bench, 'mortal', await driver.ensureImage(bench.image, never));
      const { name } = spec;
      expect(await driver.getLastEnd(name, never)).toMatchObject({ kind: 'unknown' });
      await driver.createInstance(spec, { start: false }, never);
      expect(await driver.getLastEnd(name, never)).toMatchObject({ kind: 'unknown' });
      const events = new EventLog(driver);
      await events.until(() => events.count('resync') === 1);
      const ended = async (end: () => Promise<void>) => {
        await driver.startInstance(name, never);
        expect(await driver.getLastEnd(name, never)).toMatchObject({ kind: 'unknown' });
        const isEnd = (event: object): boolean => 'requested' in event && event.requested === false;
        const before = events.of(name).filter(isEnd).length;
        await end();
        await events.until(() => events.of(name).filter(isEnd).length > before);
        return driver.getLastEnd(name, never);
      };
      expect(await ended(() => bench.endInit(name, 'status 0'))).toEqual({
        kind: 'clean',
        message: 'Exited with status 0',
      });
      expect(await ended(() => bench.killInit(name))).toEqual({
        kind: 'error',
        message: 'Killed by signal 9',
      });
      expect(await ended(() => bench.endInit(name, 'poweroff'))).toEqual({
        kind: 'clean',
        message: 'Powered itself off',
      });
      expect(await ended(() => bench.endInit(name, 'status 3'))).toEqual({
        kind: 'error',
        message: 'Exited with status 3',
      });
      await events.stop();
      await remove(driver, spec);
    });
  });
}
