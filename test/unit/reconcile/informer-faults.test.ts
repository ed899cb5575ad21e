import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import { HostlerError } from '../../../src/ports/errors.ts';
import { type FakeObjectStore } from '../../support/fake-object-store.ts';
import { container, keyOf, setUp, signal, touch } from './informer-world.ts';

describe('an informer under faults', () => {
  it.each([
    ['429', new HostlerError('TooManyRequests', 'slow down', { retryAfterMs: 1_000 })],
    ['500', new HostlerError('Internal', 'boom')],
    ['a connection reset', new HostlerError('Unavailable', 'reset')],
    ['403', new HostlerError('Forbidden', 'not yet')],
  ])('goes on after any number of %s in its lists', async (_, error) => {
    const { clock, store, informer, start, finish, names } = setUp();
    store.seed(container('a'));
    store.faults.failNext(error, { verb: 'list', times: 20 });
    await start();
    expect(informer.hasSynced()).toBe(false);
    await clock.advance(120_000);
    expect(names()).toEqual(['a']);
    await finish();
  });

  it.each([
    ['429', new HostlerError('TooManyRequests', 'slow down', { retryAfterMs: 1_000 })],
    ['500', new HostlerError('Internal', 'boom')],
    ['a connection reset', new HostlerError('Unavailable', 'reset')],
    ['an end of the watch', undefined],
  ])('resumes where it was, without a list, after %s', async (_, error) => {
    const { clock, store, changes, start, finish, calls } = setUp();
    store.seed(container('a'));
    await start();
    for (let round = 0; round < 5; round++) {
      store.faults.dropWatches(error);
      if (error) store.faults.failNext(error, { verb: 'watch', times: 3 });
      await store.create(containerKind, container(`x${round}`), signal);
      await clock.advance(60_000);
    }
    expect(changes).toEqual(['+a', '+x0', '+x1', '+x2', '+x3', '+x4']);
    expect(calls('list')).toBe(1);
    await finish();
  });

  it('waits longer and longer while the API is away, and at most some seconds', async () => {
    const { clock, store, start, finish, calls } = setUp();
    store.faults.failNext('Unavailable', { verb: 'list', times: 1_000 });
    await start();
    await clock.advance(1_000);
    const early = calls('list');
    await clock.advance(60_000);
    expect(early).toBeLessThan(6);
    expect(calls('list') - early).toBeGreaterThan(10);
    expect(calls('list') - early).toBeLessThan(25);
    await finish();
  });

  it('lists again after a 410, and finds out what was deleted meanwhile', async () => {
    const { clock, store, changes, start, finish, calls } = setUp();
    store.seed(container('a'), container('b'));
    await start();
    store.faults.failNext('Unavailable', { verb: 'watch' });
    store.faults.dropWatches('Unavailable');
    await store.delete(containerKind, keyOf('a'), {}, signal);
    await store.create(containerKind, container('c'), signal);
    await touch(store, 'b');
    store.faults.compact();
    await clock.advance(10_000);
    expect(changes).toEqual(['+a', '+b', '~b', '+c', '-a']);
    expect(calls('list')).toBe(2);
    await finish();
  });

  it('does not list in a loop when every watch is refused with 410', async () => {
    const { clock, store, start, finish, calls } = setUp();
    store.faults.failNext('Expired', { verb: 'watch', times: 1_000 });
    await start();
    await clock.advance(60_000);
    expect(calls('list')).toBeLessThan(25);
    await finish();
  });

  it('does not take a list that is older than what it saw', async () => {
    const { clock, store, changes, start, finish, names } = setUp();
    store.seed(container('a'));
    await start();
    const thaw = store.faults.freezeReads();
    await store.create(containerKind, container('b'), signal);
    await clock.advance(0);
    expect(names()).toEqual(['a', 'b']);
    store.faults.dropWatches('Expired');
    await clock.advance(30_000);
    expect(names()).toEqual(['a', 'b']);
    thaw();
    await store.create(containerKind, container('c'), signal);
    await clock.advance(10_000);
    expect(changes).toEqual(['+a', '+b', '+c']);
    await finish();
  });

  it('gives up a watch that is silent for too long, and hears what it missed', async () => {
    const { clock, store, changes, start, finish, calls } = setUp({ idleTimeoutMs: 10_000 });
    store.seed(container('a'));
    await start();
    const release = store.faults.stallWatches();
    await store.create(containerKind, container('b'), signal);
    await clock.advance(10_100);
    expect(calls('watch')).toBe(2);
    release();
    await clock.advance(0);
    expect(changes).toEqual(['+a', '+b']);
    await finish();
  });

  it('keeps a quiet watch that gets bookmarks, and resumes from them', async () => {
    const { clock, store, start, finish, calls } = setUp({ idleTimeoutMs: 10_000 });
    await start();
    store.seed({ ...container('x'), kind: 'ConfigMap', apiVersion: 'v1' });
    for (let minute = 0; minute < 10; minute++) {
      store.faults.bookmark();
      await clock.advance(9_000);
    }
    expect(calls('watch')).toBe(1);
    store.faults.compact();
    store.faults.dropWatches();
    await clock.advance(1_000);
    expect(calls('list')).toBe(1);
    await finish();
  });

  it('knows when it was last in touch', async () => {
    const { clock, store, informer, start, finish } = setUp();
    expect(informer.lastContactMs()).toBeUndefined();
    await start();
    const listedMs = informer.lastContactMs() as number;
    expect(listedMs).toBe(clock.monotonicMs());
    await clock.advance(5_000);
    expect(informer.lastContactMs()).toBe(listedMs);
    store.faults.bookmark();
    await clock.advance(0);
    expect(informer.lastContactMs()).toBe(listedMs + 5_000);
    store.faults.failNext('Unavailable', { verb: 'watch', times: 100 });
    store.faults.dropWatches('Unavailable');
    await clock.advance(60_000);
    expect(informer.lastContactMs()).toBe(listedMs + 5_000);
    await finish();
  });

  it('ignores events that it saw already', async () => {
    const { clock, store, informer, changes, start, finish } = setUp();
    store.seed(container('a'));
    await start();
    await touch(store, 'a');
    await clock.advance(0);
    const before = informer.cache.get('default/a');
    store.faults.repeatEvents();
    await clock.advance(0);
    expect(changes).toEqual(['+a', '~a']);
    expect(informer.cache.get('default/a')).toBe(before);
    await finish();
  });
});

describe('whatever happens to its connection', () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constantFrom('write' as const, 'delete' as const),
      name: fc.constantFrom('a', 'b', 'c'),
    }),
    fc.record({
      do: fc.constantFrom('drop' as const, 'cut' as const, 'compact' as const, 'bookmark' as const),
    }),
    fc.record({ do: fc.constantFrom('fail list' as const, 'fail watch' as const, 'repeat' as const) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.nat(3_000) }),
  );

  it('an informer ends up with what is there, and its changes add up to it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { clock, store, informer, start, finish, names } = setUp({ pageSize: 1 });
        const told = new Map<string, string | undefined>();
        const gaps: string[] = [];
        informer.onChange(({ key, old, new: now }) => {
          // An expectation that failed here would be caught like any error of a handler.
          if (old?.metadata.resourceVersion !== told.get(key)) gaps.push(key);
          told.set(key, now?.metadata.resourceVersion);
        });
        await start();
        for (const each of steps) await take(each, store, clock);
        await clock.advance(30_000);
        expect(gaps).toEqual([]);
        const there = store.all<Container>(containerKind);
        expect(names().sort()).toEqual(there.map(({ metadata }) => metadata.name));
        for (const { metadata } of there)
          expect(told.get(`default/${metadata.name}`)).toBe(metadata.resourceVersion);
        await finish();
      }),
      { numRuns: 40 },
    );
  });

  async function take(
    each: { do: string; name?: string; ms?: number },
    store: FakeObjectStore,
    clock: { advance(ms: number): Promise<void> },
  ): Promise<void> {
    const { name = '', ms = 0 } = each;
    const isThere = store.all(containerKind).some(({ metadata }) => metadata.name === name);
    if (each.do === 'write' && isThere) await touch(store, name);
    else if (each.do === 'write') await store.create(containerKind, container(name), signal);
    else if (each.do === 'delete') await store.delete(containerKind, keyOf(name), {}, signal);
    else if (each.do === 'drop') store.faults.dropWatches();
    else if (each.do === 'cut') store.faults.dropWatches('Unavailable');
    else if (each.do === 'compact') store.faults.compact();
    else if (each.do === 'bookmark') store.faults.bookmark();
    else if (each.do === 'repeat') store.faults.repeatEvents();
    else if (each.do === 'wait') await clock.advance(ms);
    else store.faults.failNext('Unavailable', { verb: each.do === 'fail list' ? 'list' : 'watch' });
  }
});
