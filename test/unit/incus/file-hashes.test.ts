import { createHash } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createFileHashes } from '../../../src/incus/file-hashes.ts';

const never = new AbortController().signal;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('the hash of a file', () => {
  let directory: string;
  let path: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hostler-hashes-'));
    path = join(directory, 'image');
    await writeFile(path, 'one');
  });
  afterEach(() => rm(directory, { recursive: true }));

  it.each([
    ['has been written to', () => writeFile(path, 'three')],
    [
      'is another file now',
      async () => {
        await writeFile(`${path}.new`, 'three');
        await rename(`${path}.new`, path);
      },
    ],
  ])('is right again when it %s', async (_, change) => {
    const hashOf = createFileHashes();
    expect(await hashOf(path, never)).toBe(sha256('one'));
    expect(await hashOf(path, never)).toBe(sha256('one'));
    await change();
    expect(await hashOf(path, never)).toBe(sha256('three'));
  });

  it('is NotFound once it is gone', async () => {
    const hashOf = createFileHashes();
    await hashOf(path, never);
    await rm(path);
    await expect(hashOf(path, never)).rejects.toMatchObject({ code: 'NotFound' });
  });
});
