import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../support/watchdog-program.ts', import.meta.url));

/**
 * What a guard process writes to its watchdog. A file stands for the device: what is written is recorded, but nothing resets a
 * machine. That closing without a V makes the kernel go on counting is the drivers' own word (watchdog-api, "magic close").
 */
describe("a guard process and the kernel's watchdog", () => {
  let folder: string;
  let device: string;
  let guard: ChildProcess;
  let ended: Promise<unknown[]>;
  const written = () => readFile(device, 'utf8');
  const grown = async (from: number): Promise<string> => {
    for (let tries = 0; tries < 600; tries++) {
      const text = await written();
      if (text.length > from) return text;
      await pause(50);
    }
    throw new Error('nothing was written');
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hostler-watchdog-'));
    device = join(folder, 'watchdog');
    await writeFile(device, '');
    const args = [
      '--pdeathsig=KILL',
      process.execPath,
      '--no-warnings',
      PROGRAM,
      join(folder, 'guard.sock'),
      device,
    ];
    guard = spawn('setpriv', args, { stdio: 'inherit', env: { ...process.env, NODE_OPTIONS: '' } });
    ended = once(guard, 'exit');
    await grown(3);
  });
  afterEach(async () => {
    guard.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true });
  });

  it('is ended in order by a clean stop', async () => {
    guard.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(await written()).toMatch(/^\.+V$/);
  });

  it('is not ended by the death of the guard', async () => {
    guard.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect(await written()).toMatch(/^\.+$/);
  });

  it('is neither fed nor ended while the guard hangs, and fed again when it goes on', async () => {
    guard.kill('SIGSTOP');
    await pause(300);
    const before = (await written()).length;
    await pause(1_500);
    expect((await written()).length).toBe(before);
    guard.kill('SIGCONT');
    expect(await grown(before)).toMatch(/^\.+$/);
  });
});
