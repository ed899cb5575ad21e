import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHostFolders } from '../../../src/agent/pools/host-folders.ts';
import { createSourceQueue } from '../../../src/agent/pools/source-queue.ts';
import { systemClock } from '../../../src/ports/clock.ts';
import { createFakeClock, settle } from '../../support/fake-clock.ts';

describe('the folders of a pool', () => {
  const folders = openHostFolders(systemClock);
  let source: string;
  const folder = (path: string) => ({ source, uid: 'u1', path });

  beforeEach(async () => {
    source = await mkdtemp(join(tmpdir(), 'hostler-folders-'));
  });

  afterEach(() => rm(source, { recursive: true }));

  it('are on a mount point, or not', async () => {
    expect(await folders.mountFault('/proc')).toBeUndefined();
    expect(await folders.mountFault(source)).toBe(`Nothing is mounted at ${source}`);
    expect(await folders.mountFault(join(source, 'no'))).toBe(`There is no folder ${join(source, 'no')}`);
  });

  it('belong to whoever claims them first, however many try at once', async () => {
    const owners = await Promise.all(['u1', 'u2', 'u3'].map((uid) => folders.claim(source, uid)));
    expect(new Set(owners).size).toBe(1);
    expect(await folders.claim(source, 'u4')).toBe(owners[0]);
  });

  it('hold notes that others read', async () => {
    expect(await folders.readNote(source, 'a')).toBeUndefined();
    for (const text of ['one', 'two']) await folders.writeNote(source, 'a', text);
    expect(await openHostFolders(systemClock).readNote(source, 'a')).toBe('two');
  });

  it('are made, put aside and removed, each also the second time', async () => {
    await folders.claim(source, 'u1');
    for (const _ of [1, 2]) expect(await folders.ensure(folder('volumes/a'))).toBe(join(source, 'volumes/a'));
    await writeFile(join(source, 'volumes/a/data'), 'x');
    expect(await folders.list(folder('volumes/a'))).toEqual(['data']);
    expect(await folders.has(folder('volumes/a'), 'data')).toBe(true);
    expect(await folders.has(folder('volumes/a'), 'none/such')).toBe(false);
    const aside = (await folders.setAside(folder('volumes/a'))) ?? '';
    expect(await readFile(join(aside, 'data'), 'utf8')).toBe('x');
    expect(await folders.setAside(folder('volumes/a'))).toBeUndefined();
    expect(await folders.list(folder('volumes/a'))).toBeUndefined();
    await folders.ensure(folder('volumes/b'));
    for (const _ of [1, 2]) await folders.remove(folder('volumes/b'));
    expect(await readdir(join(source, 'volumes'))).toHaveLength(1);
  });

  it('are left alone where the marker is missing or of another', async () => {
    await mkdir(join(source, 'volumes/a'), { recursive: true });
    for (const marker of [undefined, 'u2']) {
      if (marker !== undefined) await folders.claim(source, marker);
      await expect(folders.remove(folder('volumes/a'))).rejects.toMatchObject({ code: 'Unavailable' });
      await expect(folders.ensure(folder('volumes/b'))).rejects.toMatchObject({ code: 'Unavailable' });
    }
    expect(await readdir(join(source, 'volumes'))).toEqual(['a']);
  });

  it.each(['../etc', 'volumes/../..', '/etc/x', 'volumes', 'volumes/a/b', ''])('are not %j', async (path) => {
    await folders.claim(source, 'u1');
    await expect(folders.remove(folder(path))).rejects.toMatchObject({ code: 'Invalid' });
  });

  it('are released with their marker, and with data only when it is gone', async () => {
    await folders.claim(source, 'u1');
    await folders.writeNote(source, 'a', 'x');
    await folders.ensure(folder('volumes/a'));
    await folders.release(source, 'u2');
    expect(await readdir(source)).toContain('.hostler-pool');
    for (const _ of [1, 2]) await folders.release(source, 'u1');
    expect(await readdir(source)).toEqual(['volumes']);
  });
});

describe('the queue of a source', () => {
  it('gives up what takes too long, and begins nothing behind it', async () => {
    const clock = createFakeClock();
    const queued = createSourceQueue(clock, 1_000);
    const hangs = Promise.withResolvers<void>();
    const begun: string[] = [];
    const call = (name: string, run: () => Promise<unknown> = async () => name) =>
      queued('/mnt', async () => {
        begun.push(name);
        return await run();
      });
    const results = Promise.allSettled([call('first', () => hangs.promise), call('second')]);
    await clock.advance(1_000);
    expect((await results).map((result) => result.status)).toEqual(['rejected', 'rejected']);
    expect(begun).toEqual(['first']);
    expect(await queued('/other', async () => 'another source')).toBe('another source');
    const third = call('third');
    hangs.resolve();
    expect(await third).toBe('third');
    await settle();
    expect(begun).toEqual(['first', 'third']);
    expect(clock.pending()).toBe(0);
  });
});
