import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createEtcdStorage } from '../../../src/etcd/storage.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { Storage } from '../../../src/ports/storage.ts';
import { startEtcd } from '../../support/etcd-server.ts';
import type { EtcdServer } from '../../support/etcd-server.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import type { TcpProxy } from '../../support/tcp-proxy.ts';
import { follow, revisionOf } from './follower.ts';
import { attemptWrite, findLies, seededRandom } from './history.ts';
import type { Attempt } from './history.ts';

/** The connection between Hostler and etcd fails in every way; etcd itself is well (see outages.test.ts). */
describe('the etcd storage over a bad connection', () => {
  let etcd: EtcdServer;
  let proxy: TcpProxy;
  /** Over the proxy. */
  let storage: Storage;
  /** Past the proxy: the truth. */
  let direct: Storage;
  let folder = 0;
  const newPrefix = (): string => `/cuts/${folder++}/`;

  beforeAll(async () => {
    etcd = await startEtcd();
    proxy = await startTcpProxy(etcd.endpoint);
    storage = createEtcdStorage({ endpoints: [proxy.endpoint], logger: silentLogger });
    direct = createEtcdStorage({ endpoints: [etcd.endpoint], logger: silentLogger });
  });
  afterAll(async () => {
    await storage.close();
    await direct.close();
    await proxy.stop();
    await etcd.stop();
  });

  const truthOf = async (prefix: string, since: number) => {
    const { revision } = await direct.get(prefix);
    const follower = follow(direct, prefix, since);
    const marker = await direct.put(`${prefix}~end`, Buffer.from('end'), 0);
    const events = await follower.until(marker.ok ? marker.modRevision : revision);
    await follower.stop();
    return events.slice(0, -1);
  };

  /** Breaks the connection every few milliseconds, by the seed, until `work` is done. */
  const whileBreaking = async <T>(seed: number, faults: readonly Fault[], work: Promise<T>): Promise<T> => {
    const random = seededRandom(seed);
    const state = { isDone: false };
    const breaking = (async () => {
      while (!state.isDone) {
        await pause(5 + random() * 60);
        await faults[Math.floor(random() * faults.length)]?.(proxy, random);
      }
    })();
    try {
      return await work;
    } finally {
      state.isDone = true;
      await breaking;
      proxy.heal();
    }
  };

  it.each([1, 2])(
    'loses and repeats no event of 3,000 writes and more while it is cut 40 times (seed %d)',
    async (seed) => {
      const prefix = newPrefix();
      const { revision } = await direct.get(prefix);
      const follower = follow(storage, prefix, revision);
      const part = follow(storage, `${prefix}1`, revision);
      const random = seededRandom(seed);
      let cuts = 0;
      const cutting = (async () => {
        for (let position = 0; cuts < 40; position = follower.position()) {
          // A cut counts only when the watch had got on since the last one.
          while (follower.position() === position) await pause(5);
          await pause(random() * 60);
          if (proxy.cut() > 0) cuts++;
        }
      })();
      const written = await writeMany(direct, prefix, (count) => count < 3_000 || cuts < 40);
      await cutting;
      const events = await follower.until(written.at(-1) ?? 0);
      await follower.stop();
      expect(events.map(revisionOf)).toEqual(written);
      const ofPart = events.filter(
        (event) => event.type === 'put' && event.entry.key.startsWith(`${prefix}1`),
      );
      const lastOfPart = ofPart.at(-1);
      expect(await part.until(lastOfPart ? revisionOf(lastOfPart) : 0)).toEqual(ofPart);
      await part.stop();
    },
    60_000,
  );

  it.each([
    ['connections are cut', 11, [cut]],
    ['replies are dropped', 12, [dropReplies]],
    ['requests are dropped', 13, [dropRequests]],
    ['everything goes wrong in turn', 14, [cut, dropReplies, dropRequests, slow, refuse]],
  ] satisfies [string, number, Fault[]][])(
    'tells every writer the truth while %s (seed %d)',
    async (_name, seed, faults) => {
      const prefix = newPrefix();
      const { revision } = await direct.get(prefix);
      const writers = Promise.all(
        Array.from({ length: 8 }, (_, writer) => contend(storage, prefix, { writer, seed, writes: 60 })),
      );
      const attempts = (await whileBreaking(seed, faults, writers)).flat();
      const truth = await truthOf(prefix, revision);
      expect(findLies(attempts, truth)).toEqual([]);
      const done = attempts.filter(({ outcome }) => outcome.is === 'done');
      const unknown = attempts.filter(({ outcome }) => outcome.is === 'unknown');
      expect(done.length).toBeGreaterThan(50);
      // Whatever was not acknowledged must be accounted for by a Timeout.
      expect(truth.length - done.length).toBeLessThanOrEqual(unknown.length);
    },
    120_000,
  );

  it('tells apart who wrote the same bytes', async () => {
    const prefix = newPrefix();
    const { revision } = await direct.get(prefix);
    const work = (async () => {
      let winners = 0;
      for (let round = 0; round < 40; round++) {
        const rivals = Array.from({ length: 4 }, () =>
          attemptWrite(storage, { key: `${prefix}${round}`, value: 'the same', expected: 0 }),
        );
        const results = await Promise.all(rivals);
        const done = results.filter(({ outcome }) => outcome.is === 'done').length;
        const unknown = results.filter(({ outcome }) => outcome.is === 'unknown').length;
        if (done > 1 || done + unknown < 1) throw new Error(`round ${round}: ${JSON.stringify(results)}`);
        winners += done;
      }
      return winners;
    })();
    expect(await whileBreaking(21, [cut, dropReplies], work)).toBeGreaterThan(30);
    expect(await truthOf(prefix, revision)).toHaveLength(40);
  }, 60_000);

  it('knows that its create was carried out although the key was deleted before it could look', async () => {
    const key = `${newPrefix()}a`;
    const follower = follow(direct, key, (await direct.get(key)).revision);
    await storage.ping(5_000);
    proxy.swallow('toClient');
    const creating = storage.put(key, Buffer.from('mine'), 0);
    const seen = await waitFor(async () => (await direct.get(key)).entry);
    await direct.delete(key, seen.modRevision);
    proxy.heal();
    expect(await creating).toEqual({ ok: true, modRevision: seen.modRevision });
    const events = await follower.until(seen.modRevision + 1);
    await follower.stop();
    expect(events.map(({ type }) => type)).toEqual(['put', 'delete']);
    expect((await direct.get(key)).entry).toBeUndefined();
  });

  it('knows that its update was carried out although the key was written again before it could look', async () => {
    const key = `${newPrefix()}a`;
    const created = await storage.put(key, Buffer.from('first'), 0);
    const expected = created.ok ? created.modRevision : 0;
    proxy.swallow('toClient');
    const updating = storage.put(key, Buffer.from('mine'), expected);
    const seen = await waitFor(async () => {
      const { entry } = await direct.get(key);
      return entry && entry.modRevision > expected ? entry : undefined;
    });
    await direct.put(key, Buffer.from('mine'), seen.modRevision);
    proxy.heal();
    expect(await updating).toEqual({ ok: true, modRevision: seen.modRevision });
  });

  it('answers a write and a read in time when its connection has silently died', async () => {
    const key = `${newPrefix()}a`;
    await storage.ping(5_000);
    proxy.freeze();
    const [put, ping] = [storage.put(key, Buffer.from('x'), 0), storage.ping(5_000)];
    expect(await put).toMatchObject({ ok: true });
    await expect(ping).resolves.toBeUndefined();
  });

  it('resumes a watch whose connection has silently died', async () => {
    const prefix = newPrefix();
    const follower = follow(storage, prefix, (await direct.get(prefix)).revision);
    const [first] = await writeMany(direct, prefix, (count) => count < 1);
    await follower.until(first ?? 0);
    proxy.freeze();
    const written = await writeMany(direct, `${prefix}later/`, (count) => count < 10);
    const events = await follower.until(written.at(-1) ?? 0);
    await follower.stop();
    expect(events.map(revisionOf)).toEqual([first, ...written]);
  });

  it('ends a watch at once when it is aborted while etcd is silent', async () => {
    const prefix = newPrefix();
    proxy.swallow('both');
    const follower = follow(storage, prefix, 1);
    await pause(50);
    await follower.stop();
    proxy.heal();
    expect(follower.position()).toBe(1);
  });
});

type Fault = (proxy: TcpProxy, random: () => number) => Promise<void>;

async function cut(proxy: TcpProxy): Promise<void> {
  proxy.cut();
}
async function dropReplies(proxy: TcpProxy, random: () => number): Promise<void> {
  proxy.swallow('toClient');
  await pause(random() * 40);
  proxy.heal();
}
async function dropRequests(proxy: TcpProxy, random: () => number): Promise<void> {
  proxy.swallow('toServer');
  await pause(random() * 40);
  proxy.heal();
}
async function slow(proxy: TcpProxy, random: () => number): Promise<void> {
  proxy.delay(Math.ceil(random() * 20));
  await pause(60);
  proxy.heal();
}
async function refuse(proxy: TcpProxy, random: () => number): Promise<void> {
  proxy.refuse();
  proxy.cut();
  await pause(random() * 40);
  proxy.heal();
}

/** @returns the revisions, ascending */
async function writeMany(
  storage: Storage,
  prefix: string,
  goesOn: (count: number) => boolean,
): Promise<number[]> {
  const revisions: number[] = [];
  let next = 0;
  const write = async (): Promise<void> => {
    while (goesOn(next)) {
      const result = await storage.put(`${prefix}${next++}`, Buffer.from('value'), 0);
      if (!result.ok) throw new Error('a create was refused');
      revisions.push(result.modRevision);
    }
  };
  await Promise.all([write(), write(), write()]);
  return revisions.sort((a, b) => a - b);
}

/** Creates, updates and deletes a few keys that others want too, from what it last saw. */
async function contend(
  storage: Storage,
  prefix: string,
  { writer, seed, writes }: { writer: number; seed: number; writes: number },
): Promise<Attempt[]> {
  const random = seededRandom(seed * 100 + writer);
  const attempts: Attempt[] = [];
  for (let index = 0; index < writes; index++) {
    const key = `${prefix}${Math.floor(random() * 5)}`;
    const expected = await versionOf(storage, key);
    const isDelete = expected > 0 && random() < 0.3;
    const write = isDelete ? { key, expected } : { key, expected, value: `${writer}-${index}` };
    attempts.push(await attemptWrite(storage, write));
  }
  return attempts;
}

/** 0 when there is none, or when it cannot be read: then the write will be refused or a create. */
async function versionOf(storage: Storage, key: string): Promise<number> {
  try {
    return (await storage.get(key)).entry?.modRevision ?? 0;
  } catch {
    return 0;
  }
}

async function waitFor<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 500; tries++) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(5);
  }
  throw new Error('what was waited for did not come');
}
