import { describe, expect, it } from '@jest/globals';
import { resourceFromKind } from '../../../../src/apiserver/registry/from-crd.ts';
import { prefixOf } from '../../../../src/apiserver/registry/keys.ts';
import type { StoredEvent } from '../../../../src/apiserver/registry/registry.ts';
import { parseSelection } from '../../../../src/apiserver/selectors/selection.ts';
import { type CacheLimits, DEFAULT_LIMITS, ResourceCache } from '../../../../src/apiserver/watch/cache.ts';
import { encode } from '../../../../src/apiserver/watch/stored.ts';
import type { Watcher } from '../../../../src/apiserver/watch/watcher.ts';
import { containerKind } from '../../../../src/crds/container.ts';
import { container } from '../../../support/registries.ts';

const definition = resourceFromKind(containerKind);
const PREFIX = prefixOf(definition);

interface Harness {
  cache: ResourceCache;
  now: { ms: number };
  slow: { count: number };
  put: (name: string, nodeName: string, namespace?: string) => void;
  remove: (name: string) => void;
  watch: (query: object) => Watcher;
}

function makeCache(limits: Partial<CacheLimits> = {}): Harness {
  const now = { ms: 0 };
  const slow = { count: 0 };
  let revision = 1;
  const cache = new ResourceCache(
    definition,
    PREFIX,
    { ...DEFAULT_LIMITS, ...limits },
    {
      monotonicMs: () => now.ms,
      onUnreadable() {},
      onSlowWatcher: () => (slow.count += 1),
    },
  );
  cache.replace([], 1);
  return {
    cache,
    now,
    slow,
    put(name, nodeName, namespace = 'default') {
      const modRevision = ++revision;
      const value = encode(container(name, { metadata: { namespace }, status: { nodeName } }));
      cache.apply({
        type: 'put',
        entry: { key: `${PREFIX}${namespace}/${name}`, value, createRevision: 1, modRevision },
      });
    },
    remove(name) {
      cache.apply({ type: 'delete', key: `${PREFIX}default/${name}`, modRevision: ++revision });
    },
    watch: (query) =>
      cache.watch({
        selection: parseSelection(query, definition),
        afterRevision: revision,
        wantsBookmarks: false,
        initial: [],
        onEnd() {},
      }),
  };
}

async function waiting(watcher: Watcher): Promise<string[]> {
  watcher.end();
  const seen: string[] = [];
  for await (const event of watcher as AsyncIterable<StoredEvent>) {
    if (event.type !== 'BOOKMARK') seen.push(`${event.type} ${event.stored.object.metadata.name}`);
  }
  return seen;
}

describe('the watch cache', () => {
  it('lists by an indexed field what a look at every object would', () => {
    const { cache, put, remove } = makeCache();
    for (let index = 0; index < 20; index++)
      put(`c${index % 7}`, `h${index % 3}`, index % 2 === 0 ? 'default' : 'other');
    remove('c0');
    for (const query of [{}, { namespace: 'default' }, { namespace: 'other' }]) {
      for (const node of ['h0', 'h1', 'h2', 'h9', '']) {
        const byIndex = cache.list(
          parseSelection({ ...query, fieldSelector: `status.nodeName=${node}` }, definition),
        );
        const byLook = cache
          .list(parseSelection(query, definition))
          .filter(
            ({ object }) => (object as unknown as { status: { nodeName: string } }).status.nodeName === node,
          );
        expect(byIndex).toEqual(byLook);
      }
    }
  });

  it('tells a watcher of one node, namespace or name only of what concerns it', async () => {
    const { put, remove, watch } = makeCache();
    const watchers = [
      watch({ fieldSelector: 'status.nodeName=h1' }),
      watch({ namespace: 'other' }),
      watch({ fieldSelector: 'metadata.name=b' }),
      watch({ fieldSelector: 'status.nodeName!=h1' }),
    ];
    put('a', 'h1');
    put('b', 'h2', 'other');
    put('a', 'h2');
    remove('a');
    expect(await Promise.all(watchers.map(waiting))).toEqual([
      ['ADDED a', 'DELETED a'],
      ['ADDED b'],
      ['ADDED b'],
      ['ADDED b', 'ADDED a', 'DELETED a'],
    ]);
  });

  it('forgets watchers that have ended', () => {
    const { cache, watch } = makeCache();
    const watchers = [watch({}), watch({ namespace: 'a' }), watch({ fieldSelector: 'status.nodeName=h1' })];
    expect(cache.watcherCount).toBe(3);
    for (const watcher of watchers) watcher.end();
    expect(cache.watcherCount).toBe(0);
  });

  it('ends a watcher that does not keep up, and says so', async () => {
    const { put, watch, slow } = makeCache({ maxQueued: 2 });
    const watcher = watch({});
    for (const name of ['a', 'b', 'c']) put(name, 'h1');
    expect(slow.count).toBe(1);
    expect(await watcher.next()).toMatchObject({ done: true });
  });

  it.each([
    ['too many changes', { maxChanges: 2 }, 0],
    ['too much time', { maxAgeMs: 1_000 }, 600],
  ])('forgets the oldest changes after %s', (_what, limits, stepMs) => {
    const { cache, put, now } = makeCache(limits);
    for (const name of ['a', 'b', 'c', 'd']) {
      put(name, 'h1');
      now.ms += stepMs;
    }
    expect(cache.changesAfter(cache.oldestRevision - 1)).toBeUndefined();
    expect(cache.changesAfter(cache.oldestRevision)?.map(({ revision }) => revision)).toEqual([4, 5]);
  });
});
