import { setTimeout as pause } from 'node:timers/promises';
import { createEtcdClient } from '../../../src/etcd/client.ts';
import { createEtcdLeaderLease } from '../../../src/etcd/leader-lease.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { LeaderLease } from '../../../src/ports/leader-lease.ts';
import { startEtcd } from '../../support/etcd-server.ts';
import { leaderLeaseContract } from './suite.ts';

leaderLeaseContract('the etcd leader lease', async () => {
  const etcd = await startEtcd();
  const options = { endpoints: [etcd.endpoint], logger: silentLogger };
  const client = createEtcdClient(options);
  const leases: LeaderLease[] = [];
  let keys = 0;
  return {
    pair() {
      const key = `/leader/${keys++}`;
      const [first, second] = [
        createEtcdLeaderLease({ ...options, key }),
        createEtcdLeaderLease({ ...options, key }),
      ];
      leases.push(first, second);
      return {
        first,
        second,
        deleteKey: async () => {
          await client.repeat(
            'delete the leader key',
            (raw, call) => raw.kv.deleteRange({ key: Buffer.from(key) }, call),
            { timeoutMs: 5_000 },
          );
        },
      };
    },
    // etcd's own clock cannot be injected.
    pass: (ms) => pause(ms),
    async stop() {
      for (const lease of leases) await lease.close();
      client.close();
      await etcd.stop();
    },
  };
});
