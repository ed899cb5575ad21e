import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takeLock } from '../../../../src/cmd/local/lock.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostler-'));
  path = join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('lock of a state folder', () => {
  it('is held until it is given up', () => {
    const release = takeLock(path);
    expect(() => takeLock(path)).toThrow(`Process ${process.pid} is working on this cluster`);
    release();
    release();
    takeLock(path)();
    expect(existsSync(path)).toBe(false);
  });

  it.each([
    ['an owner that was killed', '999999999 (node) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 0 0'],
    [
      'an owner whose pid was used again',
      `${process.pid} (node) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0`,
    ],
    ['an owner that was killed before it wrote its name', ''],
  ])('of %s counts for nothing', (_, content) => {
    writeFileSync(path, content);
    const release = takeLock(path);
    expect(readFileSync(path, 'utf8')).toContain(`${process.pid} (`);
    release();
  });

  it('is not removed by a former owner', () => {
    const release = takeLock(path);
    writeFileSync(path, '1 (init) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 0 0');
    release();
    expect(existsSync(path)).toBe(true);
  });
});
