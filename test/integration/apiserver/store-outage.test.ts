import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type ApiClient, createApiClient } from '../../support/api-client.ts';
import { startApiServer, type TestApiServer, untilReady } from '../../support/api-server.ts';
import { configMap } from '../../support/manifests.ts';

/** etcd is killed under the API server, and comes back. */
const MAPS = '/api/v1/namespaces/default/configmaps';
let server: TestApiServer;
let admin: ApiClient;

beforeAll(async () => {
  server = await startApiServer();
  admin = await server.adminClient();
});
afterAll(() => server.stop());

const create = (name: string) => admin.request('POST', MAPS, { body: configMap(name, {}) });

it('answers 503 or 504 in bounded time while etcd is away, and works again without a restart', async () => {
  expect((await create('before')).code).toBe(201);
  const watch = await admin.watch(`${MAPS}?watch=true`);
  await watch.until(({ type }) => type === 'ADDED');
  await server.etcd.kill('SIGKILL');

  const startMs = performance.now();
  const refused = await create('during');
  const tookMs = performance.now() - startMs;
  expect([503, 504]).toContain(refused.code);
  expect(refused.headers['retry-after']).toBe('1');
  expect(tookMs).toBeLessThan(15_000);

  const { url, caPem } = server;
  const anybody = createApiClient({ url, caPem });
  expect(await anybody.request('GET', '/livez')).toMatchObject({ code: 200 });
  const ready = await anybody.request('GET', '/readyz');
  expect(ready.code).toBe(500);
  expect(ready.text).toContain('[-]etcd failed: reason withheld');
  expect((await admin.request('GET', '/readyz')).text).toContain('[-]etcd failed: the store does not answer');

  await server.etcd.restart();
  await untilReady(anybody);
  expect((await admin.request('GET', `${MAPS}/before`)).code).toBe(200);
  expect((await create('after')).code).toBe(201);
  await watch.until(({ object }) => (object['metadata'] as { name?: string }).name === 'after');
  watch.close();
}, 60_000);
