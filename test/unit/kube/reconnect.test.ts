import { afterEach, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import type { TlsSettings } from '../../../src/kube/connection.ts';
import { createObjectStore } from '../../../src/kube/object-store.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';
import { answer, type ApiStub, startApiStub } from './api-stub.ts';

/** A certificate is taken up while requests and watches are under way. */
const KEY = { namespace: 'default', name: 'web' };
const web: Container = {
  apiVersion: 'hostler.dev/v1alpha1',
  kind: 'Container',
  metadata: { ...KEY, resourceVersion: '7' },
  spec: { image: 'images:debian/12' },
};
const EVENT = `${JSON.stringify({ type: 'ADDED', object: web })}\n`;
const { signal } = new AbortController();
let stub: ApiStub;
let store: ReturnType<typeof createObjectStore>;
afterEach(async () => {
  store.close();
  await stub.stop();
});

it('goes over to a new connection without a request or a watch that fails', async () => {
  let goOn = (): void => {};
  stub = await startApiStub((request, response) => {
    if (!request.url.includes('watch=true')) return answer(response, 200, web);
    response.writeHead(200).write(EVENT);
    goOn = () => response.write(EVENT);
  });
  const uses: TlsSettings[] = [];
  const clientCertificate = {
    over(tls: TlsSettings) {
      uses.push(tls);
      return Promise.resolve(tls);
    },
  };
  store = createObjectStore({ kubeConfig: stub.kubeConfig, clientCertificate, userAgent: 'test', logger });
  const watch = store.watch(containerKind, { resourceVersion: '1' }, signal)[Symbol.asyncIterator]();
  expect((await watch.next()).value).toMatchObject({ type: 'ADDED' });
  const read = () => store.get(containerKind, KEY, signal);
  const underWay = [read(), read(), read()];
  store.reconnect();
  expect(await Promise.all(underWay)).toMatchObject([web, web, web]);
  expect(await read()).toMatchObject(web);
  expect(stub.sessions()).toBe(2);
  expect(uses).toHaveLength(2);
  const next = watch.next();
  goOn();
  expect((await next).value).toMatchObject({ type: 'ADDED' });
});

it('does not stay with a connection that was being made meanwhile', async () => {
  stub = await startApiStub((_request, response) => answer(response, 200, web));
  const { promise: mayConnect, resolve } = Promise.withResolvers<void>();
  const clientCertificate = { over: (tls: TlsSettings) => mayConnect.then(() => tls) };
  store = createObjectStore({ kubeConfig: stub.kubeConfig, clientCertificate, userAgent: 'test', logger });
  const asked = store.get(containerKind, KEY, signal);
  store.reconnect();
  resolve();
  expect(await asked).toMatchObject(web);
  expect(stub.sessions()).toBe(2);
});
