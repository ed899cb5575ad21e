import { createEtcdClient } from '../../../src/etcd/client.ts';
import { createEtcdStorage } from '../../../src/etcd/storage.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { startEtcd } from '../../support/etcd-server.ts';
import { storageContract } from './suite.ts';

storageContract('the etcd storage', async () => {
  const etcd = await startEtcd();
  const options = { endpoints: [etcd.endpoint], logger: silentLogger };
  const storage = createEtcdStorage(options);
  const client = createEtcdClient(options);
  return {
    storage,
    compact: async (revision) => {
      await client.repeat('compact', (raw, call) => raw.kv.compact({ revision, physical: true }, call), {
        timeoutMs: 5_000,
      });
    },
    async stop() {
      await storage.close();
      client.close();
      await etcd.stop();
    },
  };
});
