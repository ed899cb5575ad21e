import { describe, expect, it } from '@jest/globals';
import { type BreakageName, breakageOf } from './breakages.ts';
import { buildProduct } from './product.ts';
import { runFaults } from './run.ts';
import type { Fault } from './schedule.ts';

/** It goes on until it has found something, for so many of them. */
const EPISODES = 3;

/** A harness that finds nothing shows nothing, unless it finds what is there. */
describe('a product that is broken on purpose', () => {
  const host = 'host-1';
  it.each<{ name: BreakageName; rule: string; faults: Fault[] }>([
    {
      name: 'starts-unchecked',
      rule: 'a cut-off host stops in time',
      faults: [{ what: 'cut-link', host, atMs: 0, forMs: 13_000 }],
    },
    {
      name: 'guard-freezes-with-agent',
      rule: 'one live writer',
      faults: [{ what: 'freeze-agent', host, atMs: 0, forMs: 12_000 }],
    },
    {
      name: 'no-fence-delay',
      rule: 'no hasty revocation',
      faults: [
        { what: 'freeze-agent', host, atMs: 0, forMs: 8_000 },
        { what: 'freeze-daemon', host, atMs: 0, forMs: 8_000 },
        { what: 'freeze-guard', host, atMs: 4_000, forMs: 1_800 },
      ],
    },
  ])(
    '$name is found',
    async ({ name, rule, faults }) => {
      const product = await buildProduct(breakageOf(name));
      const lines: string[] = [];
      try {
        const { findings } = await runFaults({
          product,
          seed: 1,
          // The leader of a busy machine may brake for longer than it would have to wait: then nothing was broken yet.
          next: (number) =>
            number < EPISODES ? { name, faults, isOutage: false, traffic: 'marks' } : undefined,
          log: (line) => lines.push(line),
          signal: AbortSignal.timeout(260_000),
        });
        const found = findings.map((finding) => `FOUND ${finding.rule}: ${finding.text}`);
        expect([...lines, ...found].join('\n')).toContain(`FOUND ${rule}:`);
      } finally {
        product.remove();
      }
    },
    300_000,
  );
});
