import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import Sequencer from '../../../scripts/lib/longest-first.mjs';

const folder = join(import.meta.dirname, '../..');
const seconds = JSON.parse(readFileSync(join(folder, 'durations.json'), 'utf8')) as Record<string, number>;

describe('the order of test files', () => {
  it.each(Object.keys(seconds))('knows a file that is there: %s', (path) => {
    expect(existsSync(join(folder, path))).toBe(true);
  });

  it('begins with those that take long, whatever their sizes are', async () => {
    const known = Object.keys(seconds).toSorted((one, other) => (seconds[one] ?? 0) - (seconds[other] ?? 0));
    const paths = ['unit/layout/arrows.test.ts', ...known].map((path) => join(folder, path));
    // No cache, as in a new checkout; the larger the file is, the less it takes.
    const sizes = new Map(paths.map((path, index) => [path, 1_000 - index]));
    const hasteFS = { getSize: (path: string) => sizes.get(path) };
    const context = { config: { cache: false }, hasteFS };
    const tests = paths.map((path) => ({ path, duration: undefined, context }));
    const sorted = await new Sequencer({ contexts: [], globalConfig: {} }).sort(tests);
    expect(sorted).toHaveLength(tests.length);
    const order = sorted.map(({ path }) => seconds[path.slice(folder.length + 1)] ?? 0);
    expect(order).toEqual(order.toSorted((one, other) => other - one));
    expect(order.at(-1)).toBe(0);
  });
});
