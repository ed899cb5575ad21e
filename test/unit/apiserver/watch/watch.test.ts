import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StoredEvent } from '../../../../src/apiserver/registry/registry.ts';
import { HostlerError } from '../../../../src/ports/errors.ts';
import { createFakeClock } from '../../../support/fake-clock.ts';
import { createFakeStorage, type FakeStorage } from '../../../support/fake-storage.ts';
import { type ApiFixture, configMap, container, refusalOf, startApi } from '../../../support/registries.ts';

let storage: FakeStorage;
let api: ApiFixture;
beforeEach(async () => {
  storage = createFakeStorage();
  api = await startApi({ storage });
});
afterEach(() => api.stop());

/** `ADDED web`, `BOOKMARK` */
const shown = (event: StoredEvent): string =>
  event.type === 'BOOKMARK' ? 'BOOKMARK' : `${event.type} ${event.stored.object.metadata.name}`;

async function take(events: AsyncIterator<StoredEvent>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { done, value } = await events.next();
    if (done === true) return [...taken, 'END'];
    taken.push(shown(value));
  }
  return taken;
}

const label = (name: string, value: string): Promise<unknown> =>
  api.patch('configmaps', name, { type: 'merge', body: { metadata: { labels: { set: value } } } });

describe('watch', () => {
  it('without a version begins with what is there and goes on with what is written', async () => {
    await api.create('configmaps', configMap('a'));
    const events = await api.watch('configmaps', {});
    await label('a', 'x');
    await api.create('configmaps', configMap('b'));
    await api.remove('configmaps', 'a');
    expect(await take(events, 4)).toEqual(['ADDED a', 'MODIFIED a', 'ADDED b', 'DELETED a']);
  });

  it('from a version shows each later write once, and a deletion at its own version', async () => {
    const { metadata } = await api.create('configmaps', configMap('a'));
    await label('a', 'x');
    await api.remove('configmaps', 'a');
    const events = await api.watch('configmaps', { resourceVersion: metadata.resourceVersion ?? '' });
    expect(await take(events, 1)).toEqual(['MODIFIED a']);
    const { value } = await events.next();
    const deleted = value as Exclude<StoredEvent, { type: 'BOOKMARK' }>;
    expect(shown(deleted)).toBe('DELETED a');
    expect(deleted.stored.resourceVersion).toBeGreaterThan(Number(metadata.resourceVersion) + 1);
    expect(deleted.stored.object.metadata.resourceVersion).toBe(String(deleted.stored.resourceVersion));
    expect(JSON.parse(deleted.frame().toString())).toEqual({
      type: 'DELETED',
      object: deleted.stored.object,
    });
    expect(deleted.frame().at(-1)).toBe(10);
  });

  it('tells how far it has come when the server stops, and goes on from there on the next server', async () => {
    const { metadata } = await api.create('configmaps', configMap('rare'));
    const from = { resourceVersion: metadata.resourceVersion ?? '', allowWatchBookmarks: true };
    const ending = new AbortController();
    const events = await api.watch('configmaps', from, undefined, ending.signal);
    for (const name of ['x', 'y']) await api.create('secrets', { ...configMap(name), kind: 'Secret' });
    await api.list('secrets');
    ending.abort();
    const { value } = await events.next();
    const told = (value as { resourceVersion?: number }).resourceVersion ?? 0;
    expect(told).toBeGreaterThan(Number(metadata.resourceVersion) + 1);
    expect((await events.next()).done).toBe(true);

    await api.stop();
    await storage.put('/hostler/registry/coordination.k8s.io/leases/n/h', Buffer.from('{}'), 0);
    api = await startApi({ storage });
    const resumed = await api.watch('configmaps', { ...from, resourceVersion: String(told) });
    await label('rare', 'x');
    expect(await take(resumed, 1)).toEqual(['MODIFIED rare']);
  });

  it('of a selection shows objects come and go as they enter and leave it', async () => {
    await api.create('configmaps', configMap('a'));
    const events = await api.watch('configmaps', { labelSelector: 'set=x' });
    await label('a', 'x');
    await label('a', 'y');
    await label('a', 'x');
    await api.remove('configmaps', 'a');
    expect(await take(events, 4)).toEqual(['ADDED a', 'DELETED a', 'ADDED a', 'DELETED a']);
  });

  it('by a field of the kind shows only what has it', async () => {
    const events = await api.watch('containers', { fieldSelector: 'status.nodeName=h1' });
    await api.create('containers', container('one'));
    await api.create('containers', container('two'));
    for (const [name, nodeName] of [
      ['one', 'h1'],
      ['two', 'h2'],
      ['one', 'h2'],
    ] as const) {
      await api.patch(
        'containers',
        name,
        { type: 'merge', body: { status: { nodeName } } },
        { subresource: 'status' },
      );
    }
    expect(await take(events, 2)).toEqual(['ADDED one', 'DELETED one']);
  });

  it('shares frames between watchers', async () => {
    const [first, second] = [
      await api.watch('configmaps', {}),
      await api.watch('configmaps', { namespace: 'default' }),
    ];
    await api.create('configmaps', configMap('a'));
    const frames = [await first.next(), await second.next()].map(({ value }) =>
      (value as Exclude<StoredEvent, { type: 'BOOKMARK' }>).frame(),
    );
    expect(frames[0]).toBe(frames[1]);
  });

  it('with initial events ends them with a bookmark', async () => {
    await api.create('configmaps', configMap('a'));
    const events = await api.watch('configmaps', {
      sendInitialEvents: true,
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: true,
    });
    expect(await take(events, 1)).toEqual(['ADDED a']);
    expect((await events.next()).value).toMatchObject({ type: 'BOOKMARK', initialEventsEnd: true });
  });

  it('ends with its signal, and leaves nothing behind', async () => {
    const ended = new AbortController();
    const events = await api.watch('configmaps', {}, ended.signal);
    ended.abort();
    expect(await take(events, 1)).toEqual(['END']);
  });

  it('that is too slow ends, and others go on', async () => {
    const slow = await api.watch('configmaps', {});
    const { metadata } = await api.create('configmaps', configMap('a'));
    for (let index = 0; index < 10_050; index++)
      await storage.put(
        '/hostler/registry/core/configmaps/default/a',
        Buffer.from(JSON.stringify({ ...configMap('a'), data: { index: String(index) } })),
        Number(metadata.resourceVersion) + index,
      );
    await api.list('configmaps');
    await expect(slow.next()).resolves.toMatchObject({ done: true });
    const fresh = await api.watch('configmaps', {});
    expect(await take(fresh, 1)).toEqual(['ADDED a']);
  }, 20_000);

  it.each([
    [
      'a match without initial events',
      { resourceVersionMatch: 'NotOlderThan' },
      422,
      'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    ],
    [
      'initial events without a match',
      { sendInitialEvents: true },
      422,
      'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    ],
    ['a version that is none', { resourceVersion: 'x' }, 400, 'parsing "x": invalid syntax'],
  ])('refuses %s', async (_what, query, code, message) => {
    expect(await refusalOf(api.watch('configmaps', query))).toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });
});

describe('after a gap that the store has compacted away', () => {
  it('watchers see the difference once, and an old position is refused', async () => {
    await api.stop();
    const interrupted = interruptible(createFakeStorage());
    api = await startApi({ storage: interrupted.storage });
    await api.create('configmaps', configMap('stays'));
    await api.create('configmaps', configMap('changes'));
    const { metadata } = await api.create('configmaps', configMap('goes'));
    const events = await api.watch('configmaps', { resourceVersion: metadata.resourceVersion ?? '' });
    interrupted.hold();
    await api.remove('configmaps', 'goes');
    await label('changes', 'x');
    await label('changes', 'y');
    await api.create('configmaps', configMap('comes'));
    await api.create('configmaps', configMap('flits'));
    await api.remove('configmaps', 'flits');
    interrupted.expire();
    const seen = await take(events, 3);
    expect(seen.sort()).toEqual(['ADDED comes', 'DELETED goes', 'MODIFIED changes']);
    await api.create('configmaps', configMap('later'));
    expect(await take(events, 1)).toEqual(['ADDED later']);
    const status = await refusalOf(
      api.watch('configmaps', { resourceVersion: metadata.resourceVersion ?? '' }),
    );
    expect(status).toMatchObject({
      code: 410,
      reason: 'Expired',
      message: expect.stringMatching(/^too old resource version: \d+ \(\d+\)$/),
    });
  });
});

/** A store whose watch can be held and then expire, as when it was cut off for longer than etcd keeps its history. */
function interruptible(inner: FakeStorage): { storage: FakeStorage; hold(): void; expire(): void } {
  let isHeld = false;
  let expireNow = (): void => {};
  const wrapped = Object.create(inner, {
    watch: {
      value: async function* (prefix: string, after: number, signal: AbortSignal) {
        const expired = new Promise<'expired'>((resolve) => {
          expireNow = () => resolve('expired');
        });
        const batches = inner.watch(prefix, after, signal)[Symbol.asyncIterator]();
        for (;;) {
          const next = await Promise.race([batches.next(), expired]);
          if (next === 'expired') throw new HostlerError('Expired', 'test');
          if (next.done === true) return;
          if (!isHeld) yield next.value;
        }
      },
    },
  }) as FakeStorage;
  for (const name of ['get', 'list', 'put', 'delete', 'ping', 'close'] as const) {
    Object.defineProperty(wrapped, name, { value: inner[name].bind(inner) });
  }
  return {
    storage: wrapped,
    hold: () => {
      isHeld = true;
    },
    expire: () => {
      isHeld = false;
      expireNow();
    },
  };
}

describe('bookmarks', () => {
  it('come every 20 seconds, and just before the end', async () => {
    await api.stop();
    const clock = createFakeClock();
    storage = createFakeStorage();
    api = await startApi({ storage, clock });
    const events = await api.watch('configmaps', {
      resourceVersion: '0',
      allowWatchBookmarks: true,
      timeoutSeconds: 30,
    });
    const without = await api.watch('configmaps', { resourceVersion: '0', timeoutSeconds: 30 });
    await clock.advance(21_000);
    expect(await take(events, 1)).toEqual(['BOOKMARK']);
    await clock.advance(10_000);
    expect(await take(events, 2)).toEqual(['BOOKMARK', 'END']);
    expect(await take(without, 1)).toEqual(['END']);
  });
});
