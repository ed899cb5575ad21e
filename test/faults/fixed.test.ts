import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildProduct, type Product } from './product.ts';
import { runFaults } from './run.ts';
import type { Episode } from './schedule.ts';

/** The schedules that are instructive; `npm run faults` draws others. */
const EPISODES: readonly Episode[] = [
  {
    name: 'a host that loses its mains, and another whose disk is full',
    faults: [
      { what: 'lose-host', host: 'host-2', atMs: 0, forMs: 10_000 },
      { what: 'fill-disk', host: 'host-1', atMs: 0, forMs: 10_500 },
    ],
    isOutage: false,
    traffic: 'restarts',
  },
  {
    name: 'a link that is cut, and an agent that dies behind it',
    faults: [
      { what: 'cut-link', host: 'host-1', atMs: 0, forMs: 11_000 },
      { what: 'kill-agent', host: 'host-1', atMs: 2_000, forMs: 0 },
      { what: 'set-clock-host', host: 'host-3', atMs: 500, forMs: 7_000, offsetSeconds: -3_600 },
    ],
    isOutage: false,
    traffic: 'all',
  },
  {
    name: 'an outage of the whole control plane, and a host that is cut off in it',
    faults: [
      { what: 'freeze-etcd', atMs: 0, forMs: 3_000 },
      { what: 'kill-server', atMs: 2_500, forMs: 12_500 },
      { what: 'cut-link', host: 'host-2', atMs: 3_000, forMs: 11_000 },
    ],
    isOutage: true,
    traffic: 'marks',
  },
  {
    name: 'an agent and a daemon that are frozen, and a guard that is late by most of fenceDelay',
    faults: [
      { what: 'freeze-agent', host: 'host-3', atMs: 0, forMs: 11_000 },
      { what: 'freeze-daemon', host: 'host-3', atMs: 0, forMs: 11_000 },
      { what: 'freeze-guard', host: 'host-3', atMs: 4_000, forMs: 1_800 },
      { what: 'set-clock-guard', host: 'host-1', atMs: 1_000, forMs: 6_000, offsetSeconds: 60 },
    ],
    isOutage: false,
    traffic: 'all',
  },
  {
    name: 'a host that is not heard, and hears, and another on a slow link',
    faults: [
      { what: 'drop-out', host: 'host-1', atMs: 0, forMs: 11_000 },
      { what: 'kill-daemon', host: 'host-1', atMs: 1_000, forMs: 0 },
      {
        what: 'slow-link',
        host: 'host-2',
        atMs: 0,
        forMs: 11_000,
        delay: { toServerMs: 150, toClientMs: 50 },
      },
    ],
    isOutage: false,
    traffic: 'all',
  },
];

describe('a cluster under faults', () => {
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
      next: (number) => EPISODES[number],
      log: (line) => lines.push(line),
      // It takes two minutes on two idle cores.
      signal: AbortSignal.timeout(540_000),
    });
    const found = findings.map(({ rule, text }) => `FOUND ${rule}: ${text}`);
    // All of the story is in the message when it fails.
    expect([...lines, ...found].join('\n')).not.toMatch(/^FOUND/m);
    expect(episodes).toBe(EPISODES.length);
  }, 600_000);
});
