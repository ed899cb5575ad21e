import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createEtcdStorage } from '../../../src/etcd/storage.ts';
import { errorCode } from '../../../src/ports/errors.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { Storage } from '../../../src/ports/storage.ts';
import { startEtcd } from '../../support/etcd-server.ts';
import type { EtcdServer } from '../../support/etcd-server.ts';
import { freePort } from '../../support/free-port.ts';
import { follow, revisionOf } from './follower.ts';

/** etcd itself dies, freezes or was never there. */
describe('the etcd storage while etcd is away', () => {
  const requestTimeoutMs = 1_000;
  let etcd: EtcdServer;
  let storage: Storage;

  beforeAll(async () => {
    etcd = await startEtcd();
    storage = createEtcdStorage({ endpoints: [etcd.endpoint], requestTimeoutMs, logger: silentLogger });
  });
  afterAll(async () => {
    await storage.close();
    await etcd.stop();
  });

  const create = async (key: string): Promise<number> => {
    const result = await storage.put(key, Buffer.from('x'), 0);
    if (!result.ok) throw new Error(`${key} exists`);
    return result.modRevision;
  };

  /** What a call ends with and after how long. */
  const timed = async (call: Promise<unknown>): Promise<{ code: string; ms: number }> => {
    const startMs = performance.now();
    try {
      await call;
      return { code: 'none', ms: performance.now() - startMs };
    } catch (error) {
      return { code: errorCode(error), ms: performance.now() - startMs };
    }
  };

  it('keeps acknowledged writes and its watches through SIGKILL and a new start of etcd', async () => {
    const before = await create('/outage/kill/0');
    const follower = follow(storage, '/outage/kill/', before);
    const first = await create('/outage/kill/1');
    await etcd.kill('SIGKILL');
    await etcd.restart();
    const second = await create('/outage/kill/2');
    const events = await follower.until(second);
    await follower.stop();
    expect(events.map(revisionOf)).toEqual([first, second]);
    expect((await storage.list('/outage/kill/')).count).toBe(3);
  });

  it('rejects in bounded time while etcd is down, as Unavailable because nothing was sent, and recovers', async () => {
    await storage.ping(1_000);
    await etcd.kill('SIGKILL');
    // The first calls may still find the dying connection.
    await timed(storage.ping(1_000));
    const calls = await Promise.all([
      timed(storage.get('/outage/down')),
      timed(storage.list('/outage/')),
      timed(storage.put('/outage/down', Buffer.from('x'), 0)),
      timed(storage.ping(300)),
    ]);
    await etcd.restart();
    const after = await timed(storage.put('/outage/down', Buffer.from('x'), 0));
    expect(calls.map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => 'Unavailable'));
    expect(Math.max(...calls.map(({ ms }) => ms))).toBeLessThan(requestTimeoutMs + 700);
    expect(after.code).toBe('none');
  });

  it('says Timeout in bounded time for a write that a frozen etcd may have, and recovers when it goes on', async () => {
    await storage.ping(1_000);
    await etcd.kill('SIGSTOP');
    const [write, read] = await Promise.all([
      timed(storage.put('/outage/frozen', Buffer.from('x'), 0)),
      timed(storage.get('/outage/frozen')),
    ]);
    await etcd.kill('SIGCONT');
    expect(write.code).toBe('Timeout');
    expect(['Timeout', 'Unavailable']).toContain(read.code);
    expect(Math.max(write.ms, read.ms)).toBeLessThan(requestTimeoutMs + 700);
    await expect(storage.ping(2_000)).resolves.toBeUndefined();
  });

  it('turns to the next endpoint when one is dead', async () => {
    const endpoints = [`http://127.0.0.1:${await freePort()}`, etcd.endpoint];
    const both = createEtcdStorage({ endpoints, requestTimeoutMs, logger: silentLogger });
    const result = await both.put('/outage/second', Buffer.from('x'), 0);
    await both.close();
    expect(result.ok).toBe(true);
  });

  it('rejects calls and ends watches after close', async () => {
    const other = createEtcdStorage({ endpoints: [etcd.endpoint], logger: silentLogger });
    const { revision } = await other.get('/outage/x');
    const watch = other.watch('/outage/', revision, new AbortController().signal);
    const next = watch[Symbol.asyncIterator]().next();
    await other.close();
    expect((await next).done).toBe(true);
    expect((await timed(other.get('/outage/x'))).code).toBe('Aborted');
  });
});
