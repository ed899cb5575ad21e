import { describe, expect, it } from '@jest/globals';
import { type Container, containerKind } from '../../../src/crds/container.ts';
import type { WatchEvent, WatchOptions } from '../../../src/ports/object-store.ts';
import { codeOf, container, keyTo, type StoreUnderTest } from './store-under-test.ts';

/** The part of the contract that is about watches. */
export function watchContract(get: () => StoreUnderTest, fresh: () => string): void {
  const { signal } = new AbortController();
  const create = (name: string, labels: Record<string, string>): Promise<Container> =>
    get().store.create(containerKind, container(name, labels), signal);
  const relabel = (name: string, labels: Record<string, string | null>): Promise<Container> =>
    get().store.mergePatch(containerKind, keyTo(name), { body: { metadata: { labels } } }, signal);
  const remove = (name: string): Promise<void> => get().store.delete(containerKind, keyTo(name), {}, signal);
  const position = async (): Promise<string> =>
    (await get().store.list(containerKind, { limit: 1 }, signal)).resourceVersion;

  /** The first `count` events that are no bookmarks. */
  const take = async (count: number, options: WatchOptions): Promise<WatchEvent<Container>[]> => {
    const events: WatchEvent<Container>[] = [];
    for await (const event of get().store.watch<Container>(containerKind, options, signal)) {
      if (event.type !== 'BOOKMARK') events.push(event);
      if (events.length === count) break;
    }
    return events;
  };
  const text = (event: WatchEvent<Container>): string =>
    event.type === 'BOOKMARK' ? '' : `${event.type} ${event.object.metadata.name}`;

  describe('watch', () => {
    it('yields what came after its position, and what comes, once and in order', async () => {
      const [a, mark] = [fresh(), fresh()];
      const resourceVersion = await position();
      await create(a, { test: mark });
      await relabel(a, { x: '1' });
      const events = take(4, { labelSelector: `test=${mark}`, resourceVersion });
      await relabel(a, { x: '2' });
      await remove(a);
      const seen = await events;
      expect(seen.map(text)).toEqual([`ADDED ${a}`, `MODIFIED ${a}`, `MODIFIED ${a}`, `DELETED ${a}`]);
      const versions = seen.map((event) =>
        'object' in event ? Number(event.object.metadata.resourceVersion) : 0,
      );
      expect(versions).toEqual([...new Set(versions)].sort((x, y) => x - y));
    });

    it('resumes after any event that it yielded', async () => {
      const [a, b, mark] = [fresh(), fresh(), fresh()];
      const resourceVersion = await position();
      await create(a, { test: mark });
      await create(b, { test: mark });
      await remove(a);
      const labelSelector = `test=${mark}`;
      const [first] = await take(1, { labelSelector, resourceVersion });
      const from = first && 'object' in first ? (first.object.metadata.resourceVersion ?? '') : '';
      const rest = await take(2, { labelSelector, resourceVersion: from });
      expect(rest.map(text)).toEqual([`ADDED ${b}`, `DELETED ${a}`]);
    });

    it('says DELETED of what leaves its selector, with a version to resume from, and ADDED of what enters', async () => {
      const [a, mark] = [fresh(), fresh()];
      await create(a, { test: mark });
      const resourceVersion = await position();
      const left = await relabel(a, { test: null });
      await relabel(a, { test: mark });
      const events = await take(2, { labelSelector: `test=${mark}`, resourceVersion });
      expect(events.map(text)).toEqual([`DELETED ${a}`, `ADDED ${a}`]);
      expect(events[0]).toMatchObject({
        object: { metadata: { resourceVersion: left.metadata.resourceVersion } },
      });
    });

    it('follows a field: the containers of one node', async () => {
      const [a, mark] = [fresh(), fresh()];
      const made = await create(a, {});
      const resourceVersion = await position();
      const there = { ...made, status: { nodeName: `node-${mark}` } };
      const placed = await get().store.updateStatus(containerKind, there, signal);
      await get().store.updateStatus(containerKind, { ...placed, status: { nodeName: 'elsewhere' } }, signal);
      const fieldSelector = `status.nodeName=node-${mark}`;
      const events = await take(2, { fieldSelector, resourceVersion });
      expect(events.map(text)).toEqual([`ADDED ${a}`, `DELETED ${a}`]);
    });

    it('ends by itself after timeoutSeconds', async () => {
      const stop = new AbortController();
      const seen: string[] = [];
      const options = { labelSelector: 'test=none', resourceVersion: await position(), timeoutSeconds: 1 };
      for await (const event of get().store.watch(containerKind, options, stop.signal)) seen.push(event.type);
      expect(seen.filter((type) => type !== 'BOOKMARK')).toEqual([]);
    });

    it('fails with Aborted when it is stopped', async () => {
      const stop = new AbortController();
      const options = { labelSelector: 'test=none', resourceVersion: await position() };
      const watched = drain(get().store.watch(containerKind, options, stop.signal));
      stop.abort();
      expect(await codeOf(watched)).toBe('Aborted');
    });

    it('fails with Expired when its position is forgotten', async () => {
      const resourceVersion = await position();
      for (let time = 0; time < 3; time++) await create(fresh(), {});
      const store = await get().forgetful();
      const watched = drain(store.watch(containerKind, { resourceVersion, timeoutSeconds: 5 }, signal));
      expect(await codeOf(watched)).toBe('Expired');
    });
  });
}

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}
