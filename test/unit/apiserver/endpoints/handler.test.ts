import { describe, expect, it } from '@jest/globals';
import { defaultAuthorizer } from '../../../../src/apiserver/auth/authorizer.ts';
import { allDefinitions } from '../../../../src/apiserver/builtin/definitions.ts';
import { createDiscovery } from '../../../../src/apiserver/discovery/serve.ts';
import { createHandler, type HandlerDeps } from '../../../../src/apiserver/endpoints/handler.ts';
import { createInflightLimit } from '../../../../src/apiserver/endpoints/inflight.ts';
import type { Registry, StoredObject } from '../../../../src/apiserver/registry/registry.ts';
import type { ResourceDefinition } from '../../../../src/apiserver/resource.ts';
import { conflict, expired, notFound } from '../../../../src/apiserver/status.ts';
import type { KubeObject } from '../../../../src/crds/object.ts';
import { HostlerError } from '../../../../src/ports/errors.ts';
import { silentLogger } from '../../../../src/ports/logger.ts';
import { createFakeClock, settle } from '../../../support/fake-clock.ts';
import { ADMIN, fakeExchange, type FakeRequest } from '../../../support/fake-exchange.ts';

const WEB = '/apis/hostler.dev/v1alpha1/namespaces/default/containers/web';
const CONTAINERS = '/apis/hostler.dev/v1alpha1/namespaces/default/containers';
const definition = allDefinitions().find(({ kind }) => kind === 'Container') as ResourceDefinition;

const stored = (object: object, resourceVersion = 5): StoredObject => {
  const whole = {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { name: 'web', namespace: 'default', uid: 'u1', resourceVersion: String(resourceVersion) },
    ...object,
  } as KubeObject;
  return { object: whole, resourceVersion, json: () => Buffer.from(JSON.stringify(whole)) };
};

/** A registry that throws on everything that a test does not give it. */
function registry(methods: Partial<Registry>): Registry {
  const missing = (name: string) => () => {
    throw new Error(`${name} is not expected`);
  };
  const names = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deleteCollection'];
  return {
    definition,
    ...Object.fromEntries(names.map((name) => [name, missing(name)])),
    ...methods,
  } as unknown as Registry;
}

function setUp(methods: Partial<Registry>, deps: Partial<HandlerDeps> = {}) {
  const only = registry(methods);
  const clock = createFakeClock();
  const counted: Record<string, string>[] = [];
  const stopping = new AbortController();
  const handler = createHandler({
    registries: { all: () => [only], lookup: (_g, _v, name) => (name === 'containers' ? only : undefined) },
    authorizer: defaultAuthorizer(),
    discovery: createDiscovery(() => [only], 'test'),
    healthChecks: [],
    metricsText: () => Promise.resolve('m 1\n'),
    inflight: createInflightLimit({ reads: 1, writes: 1, nodeLeases: 1 }),
    clock,
    logger: silentLogger,
    metrics: { count: (_name, labels = {}) => void counted.push(labels), observeSeconds() {}, set() {} },
    stopping: stopping.signal,
    requestTimeoutMs: 60_000,
    ...deps,
  });
  const send = (request: FakeRequest) => {
    const exchange = fakeExchange({ peer: ADMIN, ...request });
    handler(exchange);
    return exchange;
  };
  const ask = async (request: FakeRequest) => {
    const exchange = send(request);
    await settle();
    return exchange;
  };
  return { send, ask, clock, counted, stopping };
}

describe('failures', () => {
  it.each([
    [new HostlerError('Unavailable', 'etcd is away'), 503, 'ServiceUnavailable'],
    [new HostlerError('Timeout', 'etcd did not answer'), 504, 'Timeout'],
    [conflict(definition, 'web', 'changed'), 409, 'Conflict'],
    [new Error('a bug'), 500, 'InternalError'],
  ])('%s is %d', async (fault, code, reason) => {
    const { ask, counted } = setUp({
      get: async () => {
        throw fault;
      },
    });
    const exchange = await ask({ target: WEB });
    expect(exchange.json()).toMatchObject({ kind: 'Status', code, reason });
    expect(counted).toEqual([{ verb: 'get', resource: 'containers', code: String(code) }]);
  });

  it('a request that takes too long is answered 504, and its work is told to end', async () => {
    let signal: AbortSignal | undefined;
    const { send, clock } = setUp({
      get: (_name, _version, call) => {
        signal = call.signal;
        return new Promise(() => undefined);
      },
    });
    const exchange = send({ target: WEB });
    await clock.advance(59_999);
    expect(exchange.answer).toBeUndefined();
    await clock.advance(1);
    expect(exchange.json()).toMatchObject({ code: 504, reason: 'Timeout' });
    expect(signal?.aborted).toBe(true);
  });

  it('a client that leaves ends the work of its request', async () => {
    let signal: AbortSignal | undefined;
    const { ask } = setUp({
      get: (_name, _version, call) => {
        signal = call.signal;
        return new Promise(() => undefined);
      },
    });
    (await ask({ target: WEB })).leave();
    expect(signal?.aborted).toBe(true);
  });

  it('unknown resources leave no label behind', async () => {
    const { ask, counted } = setUp({});
    await ask({ target: '/apis/made.up/v1/things' });
    expect(counted).toEqual([{ verb: 'list', resource: '', code: '404' }]);
  });
});

describe('limits', () => {
  it('refuses what is above the limit with Retry-After, reads and writes apart', async () => {
    let release: (object: StoredObject) => void = () => undefined;
    const { ask } = setUp({
      get: () => new Promise((resolve) => (release = resolve)),
      create: () => Promise.resolve(stored({})),
    });
    const first = await ask({ target: WEB });
    const second = await ask({ target: WEB });
    expect(second.json()).toMatchObject({ code: 429, reason: 'TooManyRequests' });
    expect(second.answer?.headers['retry-after']).toBe('1');
    const body = stored({}).object;
    expect((await ask({ method: 'POST', target: CONTAINERS, body })).answer?.status).toBe(201);
    release(stored({}));
    await settle();
    expect(first.answer?.status).toBe(200);
    const third = await ask({ target: WEB });
    expect(third.answer).toBeUndefined();
  });

  it('the leases of nodes are counted apart: no other load can refuse them', async () => {
    const { ask } = setUp({ get: () => new Promise(() => undefined) });
    await ask({ target: WEB });
    expect((await ask({ target: WEB })).answer?.status).toBe(429);
    const lease = '/apis/coordination.k8s.io/v1/namespaces/hostler-nodes/leases/host-1';
    // This registry has no leases: the request gets as far as that.
    expect((await ask({ target: lease })).answer?.status).toBe(404);
    expect((await ask({ target: lease.replace('hostler-nodes', 'default') })).answer?.status).toBe(429);
  });

  it('an identity ends with its certificate', async () => {
    const { ask, clock } = setUp({ get: () => Promise.resolve(stored({})) });
    const peer = { ...ADMIN, notAfterMs: clock.nowMs() + 1_000 };
    expect((await ask({ target: WEB, peer })).answer?.status).toBe(200);
    await clock.advance(1_000);
    expect((await ask({ target: WEB, peer })).answer?.status).toBe(401);
  });
});

describe('watches', () => {
  it('tell of a position that is gone inside', async () => {
    const { ask } = setUp({ watch: () => Promise.reject(expired('too old resource version: 1 (9)')) });
    const exchange = await ask({ target: `${CONTAINERS}?watch=true&resourceVersion=1` });
    expect(exchange.answer).toMatchObject({ status: 200, isEnded: true });
    expect(exchange.json()).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired' },
    });
  });

  it('write bookmarks, and end when the server stops', async () => {
    const { ask, stopping } = setUp({
      watch: (_query, call) =>
        Promise.resolve(
          (async function* () {
            yield { type: 'BOOKMARK' as const, resourceVersion: 7 };
            await new Promise((resolve) => call.ending?.addEventListener('abort', resolve));
          })(),
        ),
    });
    const exchange = await ask({ target: `${CONTAINERS}?watch=true` });
    expect(exchange.json()).toEqual({
      type: 'BOOKMARK',
      object: {
        kind: 'Container',
        apiVersion: 'hostler.dev/v1alpha1',
        metadata: { resourceVersion: '7', creationTimestamp: null },
      },
    });
    expect(exchange.answer?.isEnded).toBe(false);
    stopping.abort();
    await settle();
    expect(exchange.answer?.isEnded).toBe(true);
  });

  it('take no event for a client that does not read, and end when it does not for a minute', async () => {
    let taken = 0;
    let isLeft = false;
    const { ask, clock } = setUp({
      watch: () =>
        Promise.resolve(
          (async function* () {
            try {
              for (;;) yield { type: 'BOOKMARK' as const, resourceVersion: ++taken };
            } finally {
              isLeft = true;
            }
          })(),
        ),
    });
    const exchange = await ask({ target: `${CONTAINERS}?watch=true`, takes: 'nothing' });
    expect(taken).toBe(1);
    await clock.advance(59_999);
    expect({ taken, isLeft }).toEqual({ taken: 1, isLeft: false });
    await clock.advance(1);
    expect(exchange.isAborted).toBe(true);
    expect({ taken, isLeft }).toEqual({ taken: 1, isLeft: true });
    expect(clock.pending()).toBe(0);
  });

  it('have a limit of their own making where the client gives none', async () => {
    let seconds: number | undefined;
    const { ask } = setUp({
      watch: (query) => {
        seconds = query.timeoutSeconds;
        return Promise.resolve((async function* () {})());
      },
    });
    await ask({ target: `${CONTAINERS}?watch=true` });
    expect(seconds).toBeGreaterThanOrEqual(1_800);
    expect(seconds).toBeLessThan(3_600);
  });
});

describe('deletion', () => {
  it('is a Status when it is done, and the object while something holds it', async () => {
    let finished = true;
    const { ask } = setUp({ delete: () => Promise.resolve({ object: stored({}), finished }) });
    expect((await ask({ method: 'DELETE', target: WEB })).json()).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name: 'web', group: 'hostler.dev', kind: 'containers', uid: 'u1' },
    });
    finished = false;
    expect((await ask({ method: 'DELETE', target: WEB })).json()).toMatchObject({ kind: 'Container' });
  });
});

describe('writes of a node', () => {
  const peer = {
    user: { name: 'system:hostler:node:host-1', groups: ['hostler:nodes'] },
    notAfterMs: Number.MAX_SAFE_INTEGER,
  };
  const headers = { 'content-type': 'application/merge-patch+json' };
  const status = { method: 'PATCH', target: `${WEB}/status`, peer, headers };

  it('are made on the very version that the permission was checked on, again after a conflict', async () => {
    let version = 5;
    const tried: unknown[] = [];
    const { ask } = setUp({
      get: () => Promise.resolve(stored({ status: { nodeName: 'host-1' } }, version)),
      patch: (_name, patch) => {
        tried.push(patch.body);
        if (version++ === 5) return Promise.reject(conflict(definition, 'web', 'changed'));
        return Promise.resolve(stored({}, version));
      },
    });
    const exchange = await ask({ ...status, body: { status: { phase: 'Running' } } });
    expect(exchange.answer?.status).toBe(200);
    expect(tried).toEqual([
      { status: { phase: 'Running' }, metadata: { resourceVersion: '5' } },
      { status: { phase: 'Running' }, metadata: { resourceVersion: '6' } },
    ]);
  });

  it.each([
    { title: 'that the cache has', cached: 5, reads: ['0'] },
    { title: 'that the cache does not have any more', cached: 6, reads: ['0', 'fresh'] },
    { title: 'of an object that the cache does not have', cached: undefined, reads: ['0', 'fresh'] },
  ])('that name a version $title are checked on that one', async ({ cached, reads }) => {
    const asked: string[] = [];
    const own = { status: { nodeName: 'host-1' } };
    const { ask } = setUp({
      get(_name, resourceVersion) {
        asked.push(resourceVersion ?? 'fresh');
        if (resourceVersion === undefined) return Promise.resolve(stored(own, 5));
        if (cached === undefined) return Promise.reject(notFound(definition, 'web'));
        return Promise.resolve(stored(cached === 5 ? own : {}, cached));
      },
      patch: (_name, { body }) => {
        expect(body).toMatchObject({ metadata: { resourceVersion: '5' } });
        return Promise.resolve(stored({}, 7));
      },
    });
    const body = { metadata: { resourceVersion: '5' }, status: { phase: 'Running' } };
    expect((await ask({ ...status, body })).answer?.status).toBe(200);
    expect(asked).toEqual(reads);
  });

  it("do not touch another node's containers", async () => {
    const { ask } = setUp({ get: () => Promise.resolve(stored({ status: { nodeName: 'host-2' } })) });
    const exchange = await ask({ ...status, body: { status: { phase: 'Running' } } });
    expect(exchange.json()).toMatchObject({
      code: 403,
      message:
        'containers.hostler.dev "web" is forbidden: User "system:hostler:node:host-1" cannot patch resource "containers/status" in API group "hostler.dev" in the namespace "default": a node can only write about the containers that are placed on it',
    });
  });
});

it('warns of a query parameter that nobody knows', async () => {
  const { ask } = setUp({ get: () => Promise.resolve(stored({})) });
  const exchange = await ask({ target: `${WEB}?colour=red` });
  expect(exchange.answer?.headers['warning']).toEqual([
    String.raw`299 - "unknown query parameter \"colour\" is ignored"`,
  ]);
});

it('takes over an audit id, if it is one', async () => {
  const { ask } = setUp({ get: () => Promise.resolve(stored({})) });
  const given = await ask({ target: WEB, headers: { 'audit-id': 'abc-1' } });
  expect(given.answer?.headers['audit-id']).toBe('abc-1');
  const strange = await ask({ target: WEB, headers: { 'audit-id': 'a\nb' } });
  expect(strange.answer?.headers['audit-id']).toMatch(/^[\w-]{36}$/);
});
