import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildProduct, type Product } from './product.ts';
import { runFaults } from './run.ts';
import type { Episode } from './schedule.ts';

/** The schedules that are instructive; `npm run faults` draws others. */
const EPISODES: readonly Episode[] = [
  {
    name: 'a host that loses its mains',
    faults: [{ what: 'lose-host', host: 'host-2', atMs: 0, forMs: 10_000 }],
    isOutage: false,
    traffic: 'all',
  },
  {
    name: 'a link that is cut, and an agent that dies behind it',
    faults: [
      { what: 'cut-link', host: 'host-1', atMs: 0, forMs: 11_000 },
      { what: 'kill-agent', host: 'host-1', atMs: 2_000, forMs: 0 },
    ],
    isOutage: false,
    traffic: 'all',
  },
  {
    name: 'an outage of the whole control plane',
    faults: [
      { what: 'freeze-etcd', atMs: 0, forMs: 3_000 },
      { what: 'kill-server', atMs: 2_500, forMs: 8_000 },
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
    ],
    isOutage: false,
    traffic: 'all',
  },
  {
    name: 'a host that is not heard, and hears',
    faults: [
      { what: 'drop-out', host: 'host-1', atMs: 0, forMs: 11_000 },
      { what: 'kill-daemon', host: 'host-1', atMs: 1_000, forMs: 0 },
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
      signal: AbortSignal.timeout(230_000),
    });
    const story = lines.join('\n');
    expect({ findings, story }).toEqual({ findings: [], story });
    expect(episodes).toBe(EPISODES.length);
  }, 240_000);
});
