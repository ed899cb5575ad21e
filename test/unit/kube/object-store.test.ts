import { afterEach, describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { createObjectStore, type ObjectStoreOptions } from '../../../src/kube/object-store.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { ObjectStore, WatchEvent } from '../../../src/ports/object-store.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { answer, type ApiStub, type Handler, startApiStub, statusBody } from './api-stub.ts';

const { signal } = new AbortController();
const KEY = { namespace: 'default', name: 'web' };
const PATH = '/apis/hostler.dev/v1alpha1/namespaces/default/containers';
const web: Container = {
  apiVersion: 'hostler.dev/v1alpha1',
  kind: 'Container',
  metadata: { ...KEY, resourceVersion: '7' },
  spec: { image: 'images:debian/12' },
};

const ADDED = `${JSON.stringify({ type: 'ADDED', object: web })}\n`;

const closers: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function serve(handler: Handler, protocol?: 'http/1.1'): Promise<ApiStub> {
  const stub = await startApiStub(handler, protocol);
  closers.push(() => stub.stop());
  return stub;
}

function open(kubeConfig: string, options: Partial<ObjectStoreOptions> = {}): ObjectStore {
  const store = createObjectStore({ kubeConfig, userAgent: 'test', logger: silentLogger, ...options });
  closers.push(() => store.close());
  return store;
}

describe('the object store over HTTPS', () => {
  it('asks as the Kubernetes API has it', async () => {
    const bodies: string[] = [];
    const stub = await serve((request, response, body) => {
      bodies.push(`${request.headers['content-type'] ?? ''} ${body}`);
      answer(
        response,
        200,
        request.url.includes('?') ? { metadata: { resourceVersion: '9' }, items: null } : web,
      );
    });
    const store = open(stub.kubeConfig);
    await store.get(containerKind, KEY, signal);
    await store.list(containerKind, { namespace: 'default', limit: 5, labelSelector: 'a=b,c' }, signal);
    await store.create(containerKind, web, signal);
    await store.update(containerKind, web, signal);
    await store.updateStatus(containerKind, web, signal);
    await store.mergePatch(containerKind, KEY, { body: { x: 1 }, subresource: 'status' }, signal);
    await store.delete(containerKind, KEY, { uid: 'u' }, signal);
    expect(stub.requests).toEqual([
      `GET ${PATH}/web`,
      `GET ${PATH}?labelSelector=a%3Db%2Cc&limit=5`,
      `POST ${PATH}`,
      `PUT ${PATH}/web`,
      `PUT ${PATH}/web/status`,
      `PATCH ${PATH}/web/status`,
      `DELETE ${PATH}/web`,
    ]);
    expect(bodies[5]).toBe('application/merge-patch+json {"x":1}');
    expect(bodies[6]).toContain('"preconditions":{"uid":"u"}');
    expect(stub.sessions()).toBe(1);
  });

  it('fills in what Kubernetes leaves out of the items of a list', async () => {
    const stub = await serve((_, response) =>
      answer(response, 200, {
        metadata: { resourceVersion: '9', continue: 'more' },
        items: [{ metadata: KEY }],
      }),
    );
    const list = await open(stub.kubeConfig).list(containerKind, {}, signal);
    expect(list).toEqual({
      items: [{ apiVersion: 'hostler.dev/v1alpha1', kind: 'Container', metadata: KEY }],
      resourceVersion: '9',
      continue: 'more',
    });
  });

  it('tells an object that is not there from a kind that is not served', async () => {
    let details: object = { name: 'web', kind: 'containers' };
    const stub = await serve((_, response) => answer(response, 404, statusBody(404, 'NotFound', details)));
    const store = open(stub.kubeConfig);
    expect(await store.get(containerKind, KEY, signal)).toBeUndefined();
    await store.delete(containerKind, KEY, {}, signal);
    details = {};
    await expect(store.get(containerKind, KEY, signal)).rejects.toMatchObject({ code: 'NotFound' });
    await expect(store.delete(containerKind, KEY, {}, signal)).rejects.toMatchObject({ code: 'NotFound' });
  });

  it.each([
    [400, 'BadRequest', 'Invalid'],
    [401, 'Unauthorized', 'Unauthorized'],
    [403, 'Forbidden', 'Forbidden'],
    [409, 'AlreadyExists', 'AlreadyExists'],
    [409, 'Conflict', 'Conflict'],
    [410, 'Expired', 'Expired'],
    [410, 'Gone', 'Expired'],
    [422, 'Invalid', 'Invalid'],
    [429, 'TooManyRequests', 'TooManyRequests'],
    [500, 'InternalError', 'Internal'],
    [503, 'ServiceUnavailable', 'Unavailable'],
    [504, 'Timeout', 'Timeout'],
  ])('turns %d %s into %s', async (status, reason, code) => {
    const stub = await serve((_, response) =>
      answer(response, status, statusBody(status, reason, { retryAfterSeconds: 2 })),
    );
    const refused = open(stub.kubeConfig).create(containerKind, web, signal);
    await expect(refused).rejects.toMatchObject({ code, message: `because ${reason}`, retryAfterMs: 2_000 });
  });

  it('says so when the answer is not from an API server', async () => {
    const stub = await serve((_, response) => {
      response.writeHead(200);
      response.end('<html>');
    });
    await expect(open(stub.kubeConfig).get(containerKind, KEY, signal)).rejects.toMatchObject({
      code: 'Internal',
      message: 'The API answered with something that is not JSON',
    });
  });

  it('speaks HTTP/1.1 to servers that have nothing else', async () => {
    const stub = await serve((_, response) => answer(response, 200, web), 'http/1.1');
    expect(await open(stub.kubeConfig).get(containerKind, KEY, signal)).toEqual(web);
  });

  it('names the kubeconfig that cannot be used', async () => {
    const store = open('does-not-exist.yaml');
    await expect(store.get(containerKind, KEY, signal)).rejects.toMatchObject({
      code: 'Invalid',
      message: 'Cannot use the kubeconfig does-not-exist.yaml',
    });
  });
});

describe('the object store on a bad network', () => {
  it('reads again on a new connection, but does not repeat a write whose fate is unknown', async () => {
    let cuts = 1;
    const stub = await serve((_, response) => {
      if (cuts-- > 0) stub.cut();
      else answer(response, 200, web);
    });
    const store = open(stub.kubeConfig);
    expect(await store.get(containerKind, KEY, signal)).toEqual(web);
    cuts = 1;
    await expect(store.update(containerKind, web, signal)).rejects.toMatchObject({ code: 'Timeout' });
    expect(stub.requests.filter((request) => request.startsWith('PUT'))).toHaveLength(1);
    expect(await store.update(containerKind, web, signal)).toEqual(web);
  });

  it('takes the next server when one cannot be reached, and stays with it', async () => {
    const gone = await startApiStub(() => {});
    await gone.stop();
    const stub = await serve((_, response) => answer(response, 200, web));
    const store = open(stub.kubeConfig, { servers: [gone.url, stub.url] });
    expect(await store.update(containerKind, web, signal)).toEqual(web);
    stub.cut();
    expect(await store.update(containerKind, web, signal)).toEqual(web);
    expect(stub.requests).toHaveLength(2);
  });

  it('says which servers it has tried when none can be reached', async () => {
    const gone = await startApiStub(() => {});
    const kubeConfig = await (await serve(() => {})).kubeConfigFor(gone.url);
    await gone.stop();
    await expect(open(kubeConfig).get(containerKind, KEY, signal)).rejects.toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(new RegExp(`${gone.url}: .*connect ECONNREFUSED`)) as unknown,
    });
  });

  it('gives up a request at its deadline, and one that the caller gives up at once', async () => {
    const stub = await serve(() => {});
    const store = open(stub.kubeConfig, { requestTimeoutMs: 50 });
    await expect(store.get(containerKind, KEY, signal)).rejects.toMatchObject({ code: 'Timeout' });
    const stop = new AbortController();
    const asked = open(stub.kubeConfig).get(containerKind, KEY, stop.signal);
    stop.abort();
    await expect(asked).rejects.toMatchObject({ code: 'Aborted' });
  });

  it('notices a connection that died without a word, while a watch waits on it', async () => {
    const stub = await serve((_, response) => void response.writeHead(200).write(ADDED));
    const proxy = await startTcpProxy(stub.url.replace('https', 'http'));
    closers.push(() => proxy.stop());
    const kubeConfig = await stub.kubeConfigFor(proxy.endpoint.replace('http', 'https'));
    const store = open(kubeConfig, { pingMs: 50 });
    expect(await collect(store, signal, () => proxy.freeze())).toEqual(['ADDED web', 'Unavailable']);
  });
});

describe('a watch over HTTPS', () => {
  const line = (event: object): string => `${JSON.stringify(event)}\n`;
  const event = (type: string, name = 'web') =>
    line({ type, object: { ...web, metadata: { ...KEY, name } } });

  it('yields events as they come, however the bytes are cut, with characters of several bytes whole', async () => {
    const bytes = Buffer.from(event('ADDED', 'größe-🚚') + event('DELETED', 'b'));
    const stub = await serve((_, response) => {
      response.writeHead(200);
      for (const byte of bytes) response.write(Buffer.from([byte]));
      response.end();
    });
    expect(await collect(open(stub.kubeConfig), signal)).toEqual(['ADDED größe-🚚', 'DELETED b', 'end']);
    expect(stub.requests).toEqual([
      `GET ${PATH}?watch=true&allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=60`,
    ]);
  });

  it.each([
    [
      'a bookmark',
      line({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '12' } } }),
      ['BOOKMARK 12', 'end'],
    ],
    ['an expired position', line({ type: 'ERROR', object: statusBody(410, 'Expired') }), ['Expired']],
    [
      'an error of the server',
      line({ type: 'ERROR', object: statusBody(500, 'InternalError') }),
      ['Internal'],
    ],
  ])('understands %s', async (_, text, expected) => {
    const stub = await serve((_request, response) => void response.writeHead(200).end(text));
    expect(await collect(open(stub.kubeConfig), signal)).toEqual(expected);
  });

  it('is refused with the code of the Status', async () => {
    const stub = await serve((_, response) => answer(response, 410, statusBody(410, 'Expired')));
    expect(await collect(open(stub.kubeConfig), signal)).toEqual(['Expired']);
  });

  it('fails, and does not just end, when the connection is cut', async () => {
    const stub = await serve((_, response) => {
      response.writeHead(200).write(event('ADDED'), () => setImmediate(() => stub.cut()));
    });
    expect(await collect(open(stub.kubeConfig), signal)).toEqual(['ADDED web', 'Unavailable']);
  });

  it('outlives the deadline of requests', async () => {
    const stub = await serve((_, response) => {
      response.writeHead(200).write(event('ADDED'));
      setTimeout(() => response.end(event('DELETED')), 120);
    });
    const store = open(stub.kubeConfig, { requestTimeoutMs: 60 });
    expect(await collect(store, signal)).toEqual(['ADDED web', 'DELETED web', 'end']);
  });

  it('that does not begin is given up at the deadline', async () => {
    const stub = await serve(() => {});
    expect(await collect(open(stub.kubeConfig, { requestTimeoutMs: 50 }), signal)).toEqual(['Timeout']);
  });

  it('ends on the server too when the caller stops it, or leaves the loop', async () => {
    const closed: Promise<void>[] = [];
    const stub = await serve((_, response) => {
      closed.push(new Promise((resolve) => response.once('close', resolve)));
      response.writeHead(200).write(event('ADDED'));
    });
    const store = open(stub.kubeConfig);
    const stop = new AbortController();
    const options = { namespace: 'default', resourceVersion: '5' };
    for await (const _ of store.watch(containerKind, options, stop.signal)) break;
    const aborted = collect(store, stop.signal, () => stop.abort());
    expect(await aborted).toEqual(['ADDED web', 'Aborted']);
    await Promise.all(closed);
    expect(closed).toHaveLength(2);
  });
});

/** What a watch yields, and how it ends. */
async function collect(store: ObjectStore, until: AbortSignal, onEvent?: () => void): Promise<string[]> {
  const seen: string[] = [];
  const options = { namespace: 'default', resourceVersion: '5', timeoutSeconds: 60 };
  try {
    for await (const event of store.watch<Container>(containerKind, options, until)) {
      seen.push(describeEvent(event));
      onEvent?.();
    }
    return [...seen, 'end'];
  } catch (error) {
    return [...seen, (error as { code: string }).code];
  }
}

function describeEvent(event: WatchEvent<Container>): string {
  return event.type === 'BOOKMARK'
    ? `BOOKMARK ${event.resourceVersion}`
    : `${event.type} ${event.object.metadata.name}`;
}
