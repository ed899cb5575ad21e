import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { buildProduct, type Product } from './product.ts';
import { runFaults } from './run.ts';
import type { Episode } from './schedule.ts';

/** Schedules that are instructive, one after the other on a cluster of their own; `npm run faults` draws others. */
export function describeEpisodes(fixed: readonly Episode[]): void {
  let product: Product;
  beforeAll(async () => {
    product = await buildProduct();
  });
  afterAll(() => product.remove());

  it('keeps every promise in a fixed set of schedules', async () => {
    const lines: string[] = [];
    const { findings, episodes } = await runFaults({
      product,
      seed: 1,
      next: (number) => fixed[number],
      log: (line) => lines.push(line),
      // It takes half a minute, and some 20 s for each of them, on two idle cores.
      signal: AbortSignal.timeout(540_000),
    });
    const found = findings.map(({ rule, text }) => `FOUND ${rule}: ${text}`);
    // All of the story is in the message when it fails.
    expect([...lines, ...found].join('\n')).not.toMatch(/^FOUND/m);
    expect(episodes).toBe(fixed.length);
  }, 600_000);
}
