import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { type CertificateAuthority, createAuthority } from '../../../src/apiserver/pki/certificates.ts';
import { containerKind } from '../../../src/crds/container.ts';
import { createObjectStore, type ObjectStoreOptions } from '../../../src/kube/object-store.ts';
import { systemClock } from '../../../src/ports/clock.ts';
import { errorCode } from '../../../src/ports/errors.ts';
import { silentLogger as logger } from '../../../src/ports/logger.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { answer, type ApiStub, startApiStub, statusBody } from './api-stub.ts';

/** Two API servers of one cluster. Each says of itself whether it is ready, and refuses writes when it is not. */
interface Server {
  stub: ApiStub;
  /** Between the client and it. */
  proxy: TcpProxy;
  url: string;
  isReady: boolean;
  /** Requests other than /readyz. */
  asked(): string[];
}

const KEY = { namespace: 'default', name: 'web' };
const web = {
  apiVersion: 'hostler.dev/v1alpha1',
  kind: 'Container',
  metadata: { ...KEY, resourceVersion: '7' },
};
const { signal } = new AbortController();
const closers: (() => unknown)[] = [];
let authority: CertificateAuthority;

beforeAll(async () => {
  authority = await createAuthority('test', systemClock);
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function serve(): Promise<Server> {
  const stub = await startApiStub(
    (request, response) => {
      if (request.url === '/readyz') answer(response, server.isReady ? 200 : 500, {});
      else if (request.url.includes('watch=true')) {
        response.writeHead(200).write(`${JSON.stringify({ type: 'ADDED', object: web })}\n`);
      } else if (!server.isReady && request.method !== 'GET') {
        answer(response, 503, statusBody(503, 'ServiceUnavailable'));
      } else answer(response, 200, web);
    },
    'h2',
    authority,
  );
  closers.push(() => stub.stop());
  const proxy = await startTcpProxy(stub.url.replace('https', 'http'));
  closers.push(() => proxy.stop());
  const url = proxy.endpoint.replace('http', 'https');
  const asked = (): string[] => stub.requests.filter((request) => !request.endsWith('/readyz'));
  const server: Server = { stub, proxy, url, isReady: true, asked };
  return server;
}

async function setUp(options: Partial<ObjectStoreOptions> = {}) {
  const [one, two] = [await serve(), await serve()];
  const { kubeConfig } = one.stub;
  const store = createObjectStore({
    kubeConfig,
    servers: [one.url, two.url],
    userAgent: 'test',
    logger,
    ...options,
  });
  closers.push(() => store.close());
  return { one, two, store, update: () => store.update(containerKind, web, signal) };
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await turn();
}

const isDone = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );

describe('with several API servers', () => {
  it('uses the first, and the second once the first is gone', async () => {
    const { one, two, update } = await setUp();
    expect(await update()).toEqual(web);
    await one.proxy.stop();
    await until(() => isDone(update()));
    expect(one.asked()).toHaveLength(1);
    expect(two.asked().length).toBeGreaterThan(0);
  });

  it('does not wait for one that takes connections and says nothing', async () => {
    const { one, two, update } = await setUp({ connectTimeoutMs: 600_000 });
    one.proxy.swallow('both');
    expect(await update()).toEqual(web);
    expect(one.asked()).toEqual([]);
    expect(two.asked()).toHaveLength(1);
  });

  it('leaves one that fell silent by its pings, and takes a watch up again at the other', async () => {
    const { one, two, store } = await setUp({ pingMs: 500 });
    const follow = async (): Promise<string> => {
      for await (const event of store.watch(containerKind, { resourceVersion: '7' }, signal)) {
        if (two.asked().length > 0) return event.type;
        one.proxy.swallow('both');
      }
      return 'END';
    };
    const ends: string[] = [];
    while (ends.at(-1) !== 'ADDED') ends.push(await follow().catch((error: unknown) => errorCode(error)));
    expect(new Set(ends)).toEqual(new Set(['Unavailable', 'ADDED']));
  });

  it('goes on after a request without an answer, where that ends the connection', async () => {
    const { one, two, update } = await setUp({
      resetOnTimeout: true,
      requestTimeoutMs: 1_500,
      pingMs: 600_000,
    });
    await until(() => isDone(update()));
    const before = one.asked().length;
    one.proxy.swallow('both');
    await expect(update()).rejects.toMatchObject({ code: 'Timeout' });
    await until(() => isDone(update()));
    expect(one.asked()).toHaveLength(before);
    expect(two.asked().length).toBeGreaterThan(0);
  });

  it('leaves one that is not ready, with its watches, for one that is', async () => {
    const { one, two, store, update } = await setUp();
    const events = store.watch(containerKind, { resourceVersion: '7' }, signal)[Symbol.asyncIterator]();
    await events.next();
    one.isReady = false;
    await expect(update()).rejects.toMatchObject({ code: 'Unavailable' });
    await expect(events.next()).rejects.toMatchObject({ code: 'Unavailable' });
    expect(await update()).toEqual(web);
    expect(two.asked()).toHaveLength(1);
  });

  it('stays where it is while none is ready, since reads are answered still', async () => {
    const { one, two, store, update } = await setUp();
    await update();
    one.isReady = two.isReady = false;
    await expect(update()).rejects.toMatchObject({ code: 'Unavailable' });
    await until(() => two.stub.requests.includes('GET /readyz'));
    expect(await store.get(containerKind, KEY, signal)).toEqual(web);
    expect(two.asked()).toEqual([]);
  });
});
