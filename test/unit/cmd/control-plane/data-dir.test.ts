import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takeDataDir } from '../../../../src/cmd/control-plane/data-dir.ts';
import { identify } from '../../../../src/etcd/process-identity.ts';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'hostler-data-')), 'data');
});
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));

const lock = () => join(folder, 'server.lock');

describe('takeDataDir', () => {
  it('makes the folder for its owner alone, names this process, and leaves nothing', async () => {
    const release = await takeDataDir(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(JSON.parse(await readFile(lock(), 'utf8'))).toEqual(await identify(process.pid));
    await release();
    expect(await readdir(folder)).toEqual([]);
  });

  it('keeps out of a folder whose owner runs', async () => {
    await (
      await takeDataDir(folder)
    )();
    const parent = await identify(process.ppid);
    await writeFile(lock(), JSON.stringify(parent));
    await expect(takeDataDir(folder)).rejects.toMatchObject({
      code: 'Conflict',
      message: `${folder} is in use by another server: process ${process.ppid}`,
    });
  });

  it.each([
    ['whose pid is another process’s by now', { pid: process.ppid, startTicks: '1' }],
    ['which was cut off', '{"pid":'],
    ['of another shape', []],
  ])('takes over a lock %s', async (_name, content) => {
    await (
      await takeDataDir(folder)
    )();
    await writeFile(lock(), typeof content === 'string' ? content : JSON.stringify(content));
    const release = await takeDataDir(folder);
    expect(JSON.parse(await readFile(lock(), 'utf8'))).toMatchObject({ pid: process.pid });
    await release();
  });
});
