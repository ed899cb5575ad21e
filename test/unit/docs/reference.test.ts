import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { kinds } from '../../../src/crds/kinds.ts';
import { referenceFiles } from '../../../scripts/reference.mjs';

const folder = new URL('../../../docs/reference/', import.meta.url);
const pages = referenceFiles();

describe('docs/reference', () => {
  it('is what npm run generate writes', async () => {
    const names = (await readdir(folder)).sort();
    const texts = await Promise.all(names.map((name) => readFile(new URL(name, folder), 'utf8')));
    expect(new Map(names.map((name, index) => [name, texts[index]]))).toEqual(
      new Map([...pages].sort(([a], [b]) => (a < b ? -1 : 1))),
    );
  });

  it.each(kinds.map((kind) => [kind.kind, kind] as const))('describes every field of %s', (_name, kind) => {
    const rows = (pages.get(`${kind.singular}.md`) ?? '')
      .split('\n')
      .filter((line) => /^\| `(spec|status)\./.test(line));
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.filter((row) => / {2}\|$/.test(row))).toEqual([]);
  });
});
