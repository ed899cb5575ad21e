import { describe, expect, it } from '@jest/globals';
import { containerKind } from '../../../src/crds/container.ts';
import { informerSource } from '../../../src/reconcile/source.ts';
import { container, describeChange, keyOf, setUp, signal, touch } from './informer-world.ts';

describe('an informer', () => {
  it('holds what is there, then follows each change', async () => {
    const { clock, store, informer, changes, start, finish, names } = setUp();
    store.seed(container('a'));
    expect(informer.hasSynced()).toBe(false);
    await start();
    expect(informer.hasSynced()).toBe(true);
    await store.create(containerKind, container('b'), signal);
    await touch(store, 'a');
    await store.delete(containerKind, keyOf('b'), {}, signal);
    await clock.advance(0);
    expect(changes).toEqual(['+a', '+b', '~a', '-b']);
    expect(names()).toEqual(['a']);
    await finish();
  });

  it('does nothing more when nothing changes', async () => {
    const { clock, store, changes, start, finish } = setUp();
    store.seed(container('a'));
    await start();
    const before = store.calls.length;
    await clock.advance(100_000);
    expect(store.calls).toHaveLength(before);
    expect(changes).toEqual(['+a']);
    await finish();
  });

  it('lists in pages, of one version', async () => {
    const { store, start, finish, names, calls } = setUp({ pageSize: 2 });
    store.seed(...['a', 'b', 'c', 'd', 'e'].map((name) => container(name)));
    await start();
    expect(names()).toHaveLength(5);
    expect(calls('list')).toBe(3);
    await finish();
  });

  it('lists without pages when a continue token has expired', async () => {
    const { store, start, finish, names } = setUp({
      pageSize: 2,
    });
    store.seed(...['a', 'b', 'c'].map((name) => container(name)));
    store.faults.failNext('Expired', { verb: 'list', after: 1 });
    await start();
    expect(names()).toHaveLength(3);
    expect(store.calls.map(({ verb }) => verb)).toEqual(['list', 'list', 'list', 'watch']);
    await finish();
  });

  it('tells a late handler what is there, and one that left nothing', async () => {
    const { clock, store, informer, start, finish } = setUp();
    store.seed(container('a'));
    await start();
    const seen: string[] = [];
    const leave = informer.onChange((change) => seen.push(describeChange(change)));
    leave();
    await touch(store, 'a');
    await clock.advance(0);
    expect(seen).toEqual(['+a']);
    await finish();
  });

  it('survives a handler that throws', async () => {
    const { store, informer, changes, start, finish } = setUp();
    informer.onChange(() => {
      throw new Error('a bug in a handler');
    });
    store.seed(container('a'), container('b'));
    await start();
    expect(changes).toEqual(['+a', '+b']);
    await finish();
  });

  it('freezes what is in the cache', async () => {
    const { store, informer, start, finish } = setUp();
    store.seed(container('a', { app: 'web' }));
    await start();
    const cached = informer.cache.get('default/a');
    expect(() => Object.assign(cached?.metadata.labels ?? {}, { app: 'other' })).toThrow(TypeError);
    await finish();
  });

  it('finds objects by index, also after their values changed', async () => {
    const { clock, store, informer, start, finish } = setUp({
      indexes: { app: ({ metadata }) => Object.values(metadata.labels ?? {}) },
    });
    store.seed(container('a', { app: 'web' }), container('b', { app: 'web' }));
    await start();
    expect(informer.cache.byIndex('app', 'web')).toHaveLength(2);
    const body = { metadata: { labels: { app: 'db' } } };
    await store.mergePatch(containerKind, keyOf('a'), { body }, signal);
    await store.delete(containerKind, keyOf('b'), {}, signal);
    await clock.advance(0);
    expect(informer.cache.byIndex('app', 'web')).toEqual([]);
    expect(informer.cache.byIndex('app', 'db').map(({ metadata }) => metadata.name)).toEqual(['a']);
    expect(() => informer.cache.byIndex('zone', 'a')).toThrow('There is no index zone');
    await finish();
  });

  it('lets go of what leaves its selector, and takes what enters', async () => {
    const { clock, store, changes, start, finish } = setUp({ labelSelector: 'app=web' });
    store.seed(container('a', { app: 'web' }), container('b', { app: 'db' }));
    await start();
    await store.mergePatch(
      containerKind,
      keyOf('a'),
      { body: { metadata: { labels: { app: 'db' } } } },
      signal,
    );
    await store.mergePatch(
      containerKind,
      keyOf('b'),
      { body: { metadata: { labels: { app: 'web' } } } },
      signal,
    );
    await clock.advance(0);
    expect(changes).toEqual(['+a', '-a', '+b']);
    await finish();
  });

  it('reports everything again each resync', async () => {
    const { clock, store, changes, start, finish } = setUp({ resyncMs: 1_000 });
    store.seed(container('a'));
    await start();
    await clock.advance(2_000);
    expect(changes).toEqual(['+a', '~a', '~a']);
    await finish();
  });
});

describe('the source of an informer', () => {
  it('reports the keys of the old and the new state, each once', async () => {
    const { clock, store, informer, start, finish } = setUp();
    store.seed(container('a', { owner: 'x' }));
    await start();
    const keys: string[] = [];
    informerSource(informer, ({ metadata }) => [metadata.labels?.['owner'] ?? '']).subscribe((key) =>
      keys.push(key),
    );
    await store.mergePatch(
      containerKind,
      keyOf('a'),
      { body: { metadata: { labels: { owner: 'y' } } } },
      signal,
    );
    await touch(store, 'a');
    await clock.advance(0);
    expect(keys).toEqual(['x', 'x', 'y', 'y']);
    await finish();
  });
});
