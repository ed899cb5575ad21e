import { describe } from '@jest/globals';
import { describeEpisodes } from './fixed.ts';

describe('a cluster whose links, agents, daemons and guards fail', () => {
  describeEpisodes([
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
  ]);
});
