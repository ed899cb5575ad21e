import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { configMapResource } from '../../../../src/apiserver/builtin/config-map.ts';
import { ROOT, prefixOf } from '../../../../src/apiserver/registry/keys.ts';
import { DEFAULT_LIMITS, ResourceCache } from '../../../../src/apiserver/watch/cache.ts';
import type { Change } from '../../../../src/apiserver/watch/change.ts';
import { Feed } from '../../../../src/apiserver/watch/feed.ts';
import { HostlerError } from '../../../../src/ports/errors.ts';
import { silentLogger } from '../../../../src/ports/logger.ts';
import type { Storage } from '../../../../src/ports/storage.ts';
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.ts';
import { createFakeStorage, type FakeStorage } from '../../../support/fake-storage.ts';
import { configMap } from '../../../support/registries.ts';

const PREFIX = prefixOf(configMapResource);
const all = { namespace: undefined, labels: [], fields: [] };

let storage: FakeStorage;
let clock: FakeClock;
let unreadable: string[];
let seen: string[];
let stopping: AbortController;
let running: Promise<void>;

beforeEach(() => {
  storage = createFakeStorage();
  clock = createFakeClock();
  unreadable = [];
  seen = [];
  stopping = new AbortController();
});
afterEach(async () => {
  stopping.abort();
  await running;
  expect(clock.pending()).toBe(0);
});

function start(from: Storage): { feed: Feed; cache: ResourceCache } {
  const feed = new Feed({ storage: from, root: ROOT, clock, logger: silentLogger });
  const cache = new ResourceCache(configMapResource, PREFIX, DEFAULT_LIMITS, {
    monotonicMs: () => clock.monotonicMs(),
    onUnreadable: (key) => unreadable.push(key),
    onSlowWatcher() {},
  });
  cache.listen(({ key, after }: Change) =>
    seen.push(`${key.slice(PREFIX.length)}${after === undefined ? ' gone' : ''}`),
  );
  feed.add(cache);
  running = feed.run(stopping.signal);
  return { feed, cache };
}

const put = (name: string): Promise<unknown> =>
  storage.put(`${PREFIX}default/${name}`, Buffer.from(JSON.stringify(configMap(name))), 0);

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await clock.advance(0);
}

describe('the feed', () => {
  it('fills the caches page by page, and then follows', async () => {
    for (let index = 0; index < 1_203; index++) await put(`m${index}`);
    const { feed, cache } = start(storage);
    expect(feed.trouble).toMatch('not filled');
    await settle();
    expect(cache.size).toBe(1_203);
    await put('later');
    await settle();
    expect(cache.size).toBe(1_204);
    expect(feed.trouble).toBeUndefined();
  });

  it('begins in the past, so that watches can begin before the server did', async () => {
    for (const name of ['a', 'b']) await put(name);
    const from = (await storage.get('')).revision;
    await storage.delete(`${PREFIX}default/a`, 2);
    await put('c');
    const { feed, cache } = start(storage);
    await settle();
    expect(feed.trouble).toBeUndefined();
    expect(cache.changesAfter(from)?.map((change) => change.whole().type)).toEqual(['DELETED', 'ADDED']);
    expect(cache.list(all).map(({ object }) => object.metadata.name)).toEqual(['b', 'c']);
  });

  it('shows nothing of the past to readers, while it comes from there to the present', async () => {
    for (const name of ['a', 'b', 'c']) await put(name);
    const revisions: number[] = [];
    const slow: Storage = Object.create(storage, {
      watch: {
        value: async function* (prefix: string, after: number, signal: AbortSignal) {
          for await (const batch of storage.watch(prefix, after, signal)) {
            yield batch;
            revisions.push(feed.revision);
          }
        },
      },
      list: { value: storage.list.bind(storage) },
    }) as Storage;
    const { feed } = start(slow);
    await settle();
    expect(revisions).toEqual([0, 0, 4]);
  });

  it('begins where the store has been compacted to, and with nothing older', async () => {
    for (let index = 0; index < 500; index++) await put(`m${index}`);
    const { revision } = await storage.get('');
    storage.compact(revision - 450);
    const { feed, cache } = start(storage);
    await settle();
    expect(feed.revision).toBe(revision);
    expect(cache.oldestRevision).toBe(revision - 400);
    expect(cache.size).toBe(500);
  });

  it('leaves out what it cannot read, and goes on', async () => {
    await storage.put(`${PREFIX}default/broken`, Buffer.from('{'), 0);
    await put('whole');
    const { cache } = start(storage);
    await settle();
    expect(cache.list(all).map(({ object }) => object.metadata.name)).toEqual(['whole']);
    expect(unreadable).toEqual([`${PREFIX}default/broken`]);
  });

  it('waits for a store that is away at start, later each time', async () => {
    storage.failWith(new HostlerError('Unavailable', 'away'));
    const { feed } = start(storage);
    await settle();
    expect(feed.trouble).toMatch('away');
    storage.failWith(undefined);
    await clock.advance(100);
    await settle();
    expect(feed.trouble).toBeUndefined();
  });

  it('takes up a watch that ended by itself where it was, after a pause', async () => {
    let watches = 0;
    const ending: Storage = Object.create(storage, {
      watch: {
        value: async function* (prefix: string, after: number, signal: AbortSignal) {
          watches += 1;
          for await (const batch of storage.watch(prefix, after, signal)) {
            yield batch;
            return;
          }
        },
      },
      list: { value: storage.list.bind(storage) },
    }) as Storage;
    start(ending);
    await settle();
    for (const name of ['a', 'b', 'c']) await put(name);
    await settle();
    expect(watches).toBe(1);
    for (let turn = 0; turn < 5; turn++) {
      await clock.advance(5_000);
      await settle();
    }
    expect(seen).toEqual(['default/a', 'default/b', 'default/c']);
  });

  it('tells those who wait for a revision, or that it did not come in time', async () => {
    const { feed } = start(storage);
    await settle();
    const soon = feed.waitFor(feed.revision + 1, 1_000, stopping.signal);
    const never = feed.waitFor(feed.revision + 100, 1_000, stopping.signal);
    await put('a');
    await settle();
    expect(await soon).toBe(true);
    await clock.advance(1_000);
    expect(await never).toBe(false);
  });
});
