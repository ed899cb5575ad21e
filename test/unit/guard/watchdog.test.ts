import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type GuardOptions, runGuard } from '../../../src/guard/guard.ts';
import { emptyMemory } from '../../../src/guard/keeper.ts';
import { openWatchdog } from '../../../src/guard/watchdog.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

describe("the kernel's watchdog", () => {
  let folder: string;
  let device: string;
  const fed = async () => (await readFile(device, 'utf8')).length;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hostler-watchdog-'));
    device = join(folder, 'watchdog');
    await writeFile(device, '');
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** @param enforce stops what is to stop. @returns how often it was fed in the second after `ms` */
  const run = async (enforce: () => number, ms: number): Promise<number> => {
    const clock = createFakeClock();
    const stop = new AbortController();
    const memory: GuardOptions['memory'] = {
      read: () => ({ ...emptyMemory, containers: [{ instance: 'web--default', uid: 'u', term: 1 }] }),
      write: () => {},
      settled: async () => {},
    };
    const socketPath = join(folder, 'guard.sock');
    const watchdog = openWatchdog(device);
    const ended = runGuard(
      { socketPath, clock, logger, memory, stopper: { enforce }, watchdog },
      stop.signal,
    );
    while (clock.pending() === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(ms);
    const before = await fed();
    await clock.advance(1_000);
    const after = await fed();
    stop.abort();
    await ended;
    return after - before;
  };

  it('is fed while the guard does its duty, and closed in order at the end', async () => {
    expect(await run(() => 0, 20_000)).toBe(20);
    expect(await readFile(device, 'utf8')).toMatch(/^\.+V$/);
  });

  it('is fed no more once a container cannot be stopped', async () => {
    expect(await run(() => 1, 20_000)).toBe(0);
  });

  it('is left as it is by a guard that ends while a container cannot be stopped', async () => {
    await run(() => 1, 1_000);
    expect(await readFile(device, 'utf8')).toMatch(/^\.+$/);
  });

  it('is left as it is when it cannot even be told whether there is something to stop', async () => {
    await run(() => {
      throw new Error('no /proc');
    }, 1_000);
    expect(await readFile(device, 'utf8')).not.toContain('V');
  });
});
