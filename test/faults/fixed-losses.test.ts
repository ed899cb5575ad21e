import { describe } from '@jest/globals';
import { describeEpisodes } from './fixed.ts';

describe('a cluster that loses a host, a disk, its control plane', () => {
  describeEpisodes([
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
      name: 'an outage of the whole control plane, and a host that is cut off in it',
      faults: [
        { what: 'freeze-etcd', atMs: 0, forMs: 3_000 },
        { what: 'kill-server', atMs: 2_500, forMs: 12_500 },
        { what: 'cut-link', host: 'host-2', atMs: 3_000, forMs: 11_000 },
      ],
      isOutage: true,
      traffic: 'marks',
    },
  ]);
});
