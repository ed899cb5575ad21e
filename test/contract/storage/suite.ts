import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import type { Storage, StorageEvent } from '../../../src/ports/storage.ts';
import { follow } from './follower.ts';

/** What the suite needs of an adapter. */
export interface StorageUnderTest {
  storage: Storage;
  compact(revision: number): Promise<void>;
  stop(): Promise<void>;
}

const bytes = (text: string): Buffer => Buffer.from(text);

/** Rejections are told apart by code alone. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return errorCode(error);
  }
}

export function storageContract(adapter: string, start: () => Promise<StorageUnderTest>): void {
  describe(`${adapter} keeps the contract of Storage`, () => {
    let under: StorageUnderTest;
    let storage: Storage;
    let folder = 0;
    const newPrefix = (): string => `/contract/${folder++}/`;

    const create = async (key: string, value = 'v'): Promise<number> => {
      const result = await storage.put(key, bytes(value), 0);
      if (!result.ok) throw new Error(`${key} exists`);
      return result.modRevision;
    };

    beforeAll(async () => {
      under = await start();
      storage = under.storage;
    });
    afterAll(async () => {
      await under.stop();
    });

    describe('writes', () => {
      it('creates a key that does not exist, and gives it the next revision', async () => {
        const key = `${newPrefix()}a`;
        const { revision } = await storage.get(key);
        const modRevision = await create(key, 'one');
        expect(modRevision).toBeGreaterThan(revision);
        const { entry, revision: now } = await storage.get(key);
        expect(entry).toEqual({ key, value: bytes('one'), createRevision: modRevision, modRevision });
        expect(now).toBeGreaterThanOrEqual(modRevision);
      });

      it('refuses to create a key that exists, and shows it', async () => {
        const key = `${newPrefix()}a`;
        const modRevision = await create(key, 'one');
        const result = await storage.put(key, bytes('two'), 0);
        const current = { key, value: bytes('one'), createRevision: modRevision, modRevision };
        expect(result).toMatchObject({ ok: false, current });
      });

      it('replaces the expected version and keeps the create revision', async () => {
        const key = `${newPrefix()}a`;
        const created = await create(key, 'one');
        const result = await storage.put(key, bytes('two'), created);
        const { entry } = await storage.get(key);
        expect(result.ok).toBe(true);
        expect(entry).toMatchObject({ value: bytes('two'), createRevision: created });
        expect(entry?.modRevision).toBeGreaterThan(created);
      });

      it('refuses to replace another version than the expected one', async () => {
        const key = `${newPrefix()}a`;
        const created = await create(key, 'one');
        await storage.put(key, bytes('two'), created);
        const result = await storage.put(key, bytes('three'), created);
        expect(result).toMatchObject({ ok: false, current: { value: bytes('two') } });
      });

      it('refuses to replace or delete a key that is gone, without a current entry', async () => {
        const key = `${newPrefix()}a`;
        const created = await create(key);
        expect(await storage.delete(key, created)).toMatchObject({ ok: true });
        const [put, deletion] = [
          await storage.put(key, bytes('x'), created),
          await storage.delete(key, created),
        ];
        expect(put.ok || deletion.ok).toBe(false);
        expect(put).not.toHaveProperty('current');
        expect(deletion).not.toHaveProperty('current');
      });

      it('refuses to delete another version than the expected one', async () => {
        const key = `${newPrefix()}a`;
        const created = await create(key, 'one');
        await storage.put(key, bytes('two'), created);
        expect(await storage.delete(key, created)).toMatchObject({
          ok: false,
          current: { value: bytes('two') },
        });
      });

      it('lets exactly one of many writers of one version win', async () => {
        const key = `${newPrefix()}a`;
        const created = await create(key);
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, index) => storage.put(key, bytes(`${index}`), created)),
        );
        expect(results.filter((result) => result.ok)).toHaveLength(1);
      });

      it('carries an empty value and one of 1.5 MiB, byte for byte', async () => {
        const prefix = newPrefix();
        const large = Buffer.alloc(1.5 * 1024 * 1024, 0);
        for (let index = 0; index < large.length; index++) large[index] = (index * 31) % 251;
        await storage.put(`${prefix}large`, large, 0);
        await storage.put(`${prefix}none`, Buffer.alloc(0), 0);
        expect((await storage.get(`${prefix}large`)).entry?.value.equals(large)).toBe(true);
        expect((await storage.get(`${prefix}none`)).entry?.value).toHaveLength(0);
      });

      it.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses %d as an expected revision', async (revision) => {
        expect(await codeOf(storage.put('/contract/x', bytes('x'), revision))).toBe('Invalid');
      });

      it('refuses a delete that expects no version', async () => {
        expect(await codeOf(storage.delete('/contract/x', 0))).toBe('Invalid');
      });

      it('rejects with Aborted when the signal is aborted already, and writes nothing', async () => {
        const key = `${newPrefix()}a`;
        expect(await codeOf(storage.put(key, bytes('x'), 0, AbortSignal.abort()))).toBe('Aborted');
        expect((await storage.get(key)).entry).toBeUndefined();
      });
    });

    describe('lists', () => {
      it('gives the keys of the prefix alone, in byte order', async () => {
        const prefix = newPrefix();
        for (const key of ['b', 'a/c', 'a', 'ä', 'a0', 'B']) await create(`${prefix}${key}`);
        await create(`${prefix.slice(0, -1)}0`);
        const { entries, more, count } = await storage.list(prefix);
        expect(entries.map(({ key }) => key.slice(prefix.length))).toEqual(['B', 'a', 'a/c', 'a0', 'b', 'ä']);
        expect({ more, count }).toEqual({ more: false, count: 6 });
      });

      it('pages at one revision, whatever is written meanwhile', async () => {
        const prefix = newPrefix();
        const keys = Array.from({ length: 25 }, (_, index) => `${prefix}${String(index).padStart(3, '0')}`);
        for (const key of keys) await create(key);
        const first = await storage.list(prefix, { limit: 10 });
        await create(`${prefix}005a`);
        await storage.delete(keys[20] ?? '', (await storage.get(keys[20] ?? '')).entry?.modRevision ?? 0);
        const { revision } = first;
        const second = await storage.list(prefix, {
          limit: 10,
          revision,
          after: first.entries.at(-1)?.key ?? '',
        });
        const third = await storage.list(prefix, {
          limit: 10,
          revision,
          after: second.entries.at(-1)?.key ?? '',
        });
        const all = [first, second, third].flatMap((page) => page.entries.map(({ key }) => key));
        expect(all).toEqual(keys);
        expect([first, second, third].map(({ more, count }) => [more, count])).toEqual([
          [true, 25],
          [true, 15],
          [false, 5],
        ]);
        expect([second.revision, third.revision]).toEqual([revision, revision]);
      });

      it('reads more keys than fit into one reply, and none of an empty prefix', async () => {
        const prefix = newPrefix();
        const names = Array.from(
          { length: 1_203 },
          (_, index) => `${prefix}${String(index).padStart(4, '0')}`,
        );
        for (let at = 0; at < names.length; at += 100) {
          await Promise.all(names.slice(at, at + 100).map((key) => create(key)));
        }
        expect((await storage.list(prefix)).entries.map(({ key }) => key)).toEqual(names);
        expect((await storage.list(prefix, { limit: 700 })).more).toBe(true);
        expect(await storage.list(newPrefix())).toMatchObject({ entries: [], more: false, count: 0 });
      });

      it('refuses a revision that is not there yet', async () => {
        expect(await codeOf(storage.list('/contract/', { revision: 1_000_000_000 }))).toBe('Invalid');
      });
    });

    describe('watches', () => {
      it('yields every write after the position, once and in order, with what was written', async () => {
        const prefix = newPrefix();
        const before = await create(`${prefix}a`, 'zero');
        const follower = follow(storage, prefix, before);
        const second = await storage.put(`${prefix}a`, bytes('one'), before);
        const third = await create(`${prefix}b`, 'two');
        await create('/contract/elsewhere' + prefix, 'not here');
        const deletion = await storage.delete(`${prefix}b`, third);
        if (!second.ok || !deletion.ok) throw new Error('a write was refused');
        const events = await follower.until(deletion.modRevision);
        await follower.stop();
        expect(events).toEqual([
          {
            type: 'put',
            entry: {
              key: `${prefix}a`,
              value: bytes('one'),
              createRevision: before,
              modRevision: second.modRevision,
            },
          },
          {
            type: 'put',
            entry: { key: `${prefix}b`, value: bytes('two'), createRevision: third, modRevision: third },
          },
          { type: 'delete', key: `${prefix}b`, modRevision: deletion.modRevision },
        ] satisfies StorageEvent[]);
      });

      it('begins in the past and goes on into the present', async () => {
        const prefix = newPrefix();
        const { revision } = await storage.get(prefix);
        for (let index = 0; index < 50; index++) await create(`${prefix}${index}`);
        const follower = follow(storage, prefix, revision);
        let last = 0;
        for (let index = 50; index < 100; index++) last = await create(`${prefix}${index}`);
        const events = await follower.until(last);
        await follower.stop();
        expect(events.map((event) => (event.type === 'put' ? event.entry.key : ''))).toEqual(
          Array.from({ length: 100 }, (_, index) => `${prefix}${index}`),
        );
      });

      it('yields progress while only other prefixes are written', async () => {
        const prefix = newPrefix();
        const before = await create(`${prefix}a`);
        const follower = follow(storage, prefix, before);
        const later = await create(`${newPrefix()}b`);
        const events = await follower.until(later);
        await follower.stop();
        expect(events).toEqual([]);
      });

      it('ends when its signal is aborted, also while nothing happens', async () => {
        const abort = new AbortController();
        const watch = storage.watch(newPrefix(), (await storage.get('/contract/x')).revision, abort.signal);
        const next = watch[Symbol.asyncIterator]().next();
        abort.abort();
        expect((await next).done).toBe(true);
      });

      it('serves many watches of many prefixes at once', async () => {
        const prefixes = Array.from({ length: 20 }, () => newPrefix());
        const { revision } = await storage.get('/contract/x');
        const followers = prefixes.map((prefix) => follow(storage, prefix, revision));
        const created = await Promise.all(prefixes.map((prefix) => create(`${prefix}a`)));
        const seen = await Promise.all(
          followers.map((follower, index) => follower.until(created[index] ?? 0)),
        );
        await Promise.all(followers.map((follower) => follower.stop()));
        expect(seen.map((events) => events.length)).toEqual(prefixes.map(() => 1));
      });

      it('yields several values of 1.5 MiB', async () => {
        const prefix = newPrefix();
        const { revision } = await storage.get('/contract/x');
        const large = Buffer.alloc(1.5 * 1024 * 1024, 7);
        const follower = follow(storage, prefix, revision);
        let last = 0;
        for (let index = 0; index < 4; index++) {
          const result = await storage.put(`${prefix}${index}`, large, 0);
          last = result.ok ? result.modRevision : 0;
        }
        const events = await follower.until(last);
        await follower.stop();
        expect(events.map((event) => event.type === 'put' && event.entry.value.equals(large))).toEqual([
          true,
          true,
          true,
          true,
        ]);
      });
    });

    describe('after a compaction', () => {
      it('rejects an older list and an older watch with Expired, and serves newer ones', async () => {
        const prefix = newPrefix();
        const first = await create(`${prefix}a`);
        const second = await create(`${prefix}b`);
        const third = await create(`${prefix}c`);
        await under.compact(third);
        expect(await codeOf(storage.list(prefix, { revision: second }))).toBe('Expired');
        const watch = storage.watch(prefix, first, new AbortController().signal);
        expect(await codeOf(watch[Symbol.asyncIterator]().next())).toBe('Expired');
        expect((await storage.list(prefix, { revision: third })).entries).toHaveLength(3);
        const follower = follow(storage, prefix, third);
        const fourth = await create(`${prefix}d`);
        expect(await follower.until(fourth)).toHaveLength(1);
        await follower.stop();
      });
    });

    it('answers a ping', async () => {
      await expect(storage.ping(2_000)).resolves.toBeUndefined();
    });
  });
}
