import { Etcd3 } from 'etcd3';
import { createApiServer } from '../../../src/apiserver/server.ts';
import { createEtcdStorage } from '../../../src/etcd/storage.ts';
import { createObjectStore } from '../../../src/kube/object-store.ts';
import { systemClock } from '../../../src/ports/clock.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { objectStoreContract } from './suite.ts';

objectStoreContract('the embedded API server over HTTPS', async () => {
  const api = await startApiServer();
  const open = (servers: readonly string[] = []) =>
    createObjectStore({ kubeConfig: api.kubeconfigPath, servers, userAgent: 'hostler-test', logger });
  const store = open();
  const closers = [() => Promise.resolve(store.close())];
  return {
    store,
    async forgetful() {
      const replica = await startReplica(api);
      const other = open([replica.url]);
      closers.push(replica.stop, () => Promise.resolve(other.close()));
      return other;
    },
    async stop() {
      for (const close of closers.toReversed()) await close();
      await api.stop();
    },
  };
});

/** Another API server over the same etcd, which is compacted: it knows nothing of what was before it started. */
async function startReplica(api: TestApiServer): Promise<{ url: string; stop: () => Promise<void> }> {
  await compact(api.etcd.endpoint);
  const storage = createEtcdStorage({ endpoints: [api.etcd.endpoint], logger });
  const metricsText = (): Promise<string> => Promise.resolve('');
  const server = createApiServer(
    { dataDir: api.dataDir, listen: [{ host: '127.0.0.1', port: 0 }] },
    { storage, clock: systemClock, logger, metrics: noMetrics, metricsText },
  );
  const { urls } = await server.start(new AbortController().signal);
  return {
    url: urls[0] as string,
    async stop() {
      await server.stop();
      await storage.close();
    },
  };
}

async function compact(endpoint: string): Promise<void> {
  const client = new Etcd3({ hosts: [endpoint] });
  try {
    const { header } = await client.kv.range({ key: Buffer.from('.') });
    await client.kv.compact({ revision: header.revision, physical: true });
  } finally {
    client.close();
  }
}
