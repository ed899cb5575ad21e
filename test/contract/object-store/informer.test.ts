import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { createObjectStore, type ObjectStoreOptions } from '../../../src/kube/object-store.ts';
import { systemClock } from '../../../src/ports/clock.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';
import { createInformer } from '../../../src/reconcile/informer.ts';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../../support/waiting.ts';
import { container, keyTo } from './store-under-test.ts';

describe('an informer of the API server over a bad network', () => {
  let api: TestApiServer;
  let proxy: TcpProxy;

  beforeAll(async () => {
    api = await startApiServer();
    proxy = await startTcpProxy(new URL(api.url).host);
  });
  afterAll(async () => {
    await proxy.stop();
    await api.stop();
  });

  it('sees every version once and in order, through cuts and connections that fall silent, with one list', async () => {
    const { signal } = new AbortController();
    const stop = new AbortController();
    const open = (more: Partial<ObjectStoreOptions> = {}) =>
      createObjectStore({ kubeConfig: api.kubeconfigPath, userAgent: 'test', logger, ...more });
    const writer = open();
    const reader = open({ servers: [proxy.endpoint.replace('http:', 'https:')], pingMs: 200 });
    const lists: string[] = [];
    const informer = createInformer<Container>({
      store: {
        list: (ref, options, inner) => {
          lists.push(ref.resource);
          return reader.list(ref, options, inner);
        },
        watch: (ref, options, inner) => reader.watch(ref, options, inner),
      },
      ref: containerKind,
      clock: systemClock,
      logger,
    });
    const seen: string[] = [];
    informer.onChange(({ new: now }) => seen.push(now?.metadata.resourceVersion ?? 'gone'));
    const ended = informer.start(stop.signal);
    await until('it has synced', () => informer.hasSynced());

    const { metadata } = await writer.create(containerKind, container('web'), signal);
    const written = [metadata.resourceVersion];
    for (let round = 0; round < 12; round++) {
      for (let write = 0; write < 10; write++) {
        const body = { metadata: { labels: { write: `${round}-${write}` } } };
        const patched = await writer.mergePatch<Container>(containerKind, keyTo('web'), { body }, signal);
        written.push(patched.metadata.resourceVersion);
      }
      if (round % 3 === 0) proxy.cut();
      else if (round % 3 === 1) proxy.freeze();
      await until('all is seen', () => round % 3 === 1 || seen.length === written.length);
    }
    await writer.delete(containerKind, keyTo('web'), {}, signal);
    await until('it is seen to be gone', () => seen.at(-1) === 'gone');
    expect(seen).toEqual([...written, 'gone']);
    expect(lists).toHaveLength(1);
    stop.abort();
    await ended;
    writer.close();
    reader.close();
  });
});
