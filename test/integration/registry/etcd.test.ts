import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { StoredEvent } from '../../../src/apiserver/registry/registry.ts';
import { ApiError } from '../../../src/apiserver/status.ts';
import { createEtcdStorage } from '../../../src/etcd/storage.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import type { Storage } from '../../../src/ports/storage.ts';
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts';
import { type ApiFixture, configMap, refusalOf, startApi } from '../../support/registries.ts';

const run = promisify(execFile);
let etcd: EtcdServer;
const storages: Storage[] = [];
/** Two API servers over one store. */
let one: ApiFixture;
let two: ApiFixture;

const open = (): Promise<ApiFixture> => {
  const storage = createEtcdStorage({
    endpoints: [etcd.endpoint],
    requestTimeoutMs: 2_000,
    logger: silentLogger,
  });
  storages.push(storage);
  return startApi({ storage });
};

beforeAll(async () => {
  etcd = await startEtcd();
  [one, two] = [await open(), await open()];
});
afterAll(async () => {
  await one?.stop();
  await two?.stop();
  for (const storage of storages) await storage.close();
  await etcd?.stop();
});

async function compact(revision: number): Promise<void> {
  await run('etcdctl', [`--endpoints=${etcd.endpoint}`, 'compact', '--physical', String(revision)], {
    env: { ETCDCTL_API: '3', PATH: '/usr/bin:/bin' },
  });
}

type Change = Exclude<StoredEvent, { type: 'BOOKMARK' }>;

/** The changes of one object until one for which `isLast` holds. */
async function follow(
  events: AsyncIterator<StoredEvent>,
  isLast: (change: Change) => boolean,
): Promise<Change[]> {
  const seen: Change[] = [];
  for (;;) {
    const { done, value } = await events.next();
    if (done === true) throw new Error('the watch ended early');
    if (value.type === 'BOOKMARK') continue;
    seen.push(value);
    if (isLast(value)) return seen;
  }
}

const countOf = ({ stored }: Change): number =>
  Number((stored.object as unknown as { data?: { count?: string } }).data?.count ?? 0);

describe('two API servers over one etcd', () => {
  it('never let two writers win, and every watcher sees each version once and in order', async () => {
    const ADDS = 40;
    await one.create('configmaps', configMap('counter', { count: '0' }));
    const watches = await Promise.all(
      [one, two].map((api) => api.watch('configmaps', { fieldSelector: 'metadata.name=counter' })),
    );
    const writer = async (api: ApiFixture): Promise<number> => {
      let conflicts = 0;
      for (let done = 0; done < ADDS;) {
        const current = await api.get('configmaps', 'counter');
        const { count } = current['data'] as { count: string };
        try {
          await api.update('configmaps', { ...current, data: { count: String(Number(count) + 1) } } as never);
          done += 1;
        } catch (error) {
          if (!(error instanceof ApiError) || error.status.reason !== 'Conflict') throw error;
          conflicts += 1;
        }
      }
      return conflicts;
    };
    await Promise.all([writer(one), writer(two), writer(one), writer(two)]);
    const total = ADDS * 4;
    expect(await one.get('configmaps', 'counter')).toMatchObject({ data: { count: String(total) } });
    for (const events of watches) {
      const seen = await follow(events, (change) => countOf(change) === total);
      expect(seen.map(countOf)).toEqual(
        Array.from(
          { length: total + 1 - countOf(seen[0] as Change) },
          (_, index) => countOf(seen[0] as Change) + index,
        ),
      );
      const versions = seen.map(({ stored }) => stored.resourceVersion);
      expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
      await events.return?.();
    }
  });

  it('let only one create succeed', async () => {
    const creates = [one, two, one, two].map((api) => api.create('configmaps', configMap('unique')));
    const outcomes = await Promise.allSettled(creates);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('show each what the other has just written', async () => {
    for (let index = 0; index < 20; index++) {
      await one.create('configmaps', configMap(`seen-${index}`));
      const { items } = await two.list('configmaps');
      expect(items.map(({ object }) => object.metadata.name)).toContain(`seen-${index}`);
    }
  });

  it('answer an old position with 410, and a new list and watch go on', async () => {
    const { metadata } = await one.create('configmaps', configMap('early'));
    const first = await one.list('configmaps', { limit: 1 });
    await one.patch('configmaps', 'early', { type: 'merge', body: { data: { a: '1' } } });
    const { resourceVersion } = await one.list('configmaps');
    await compact(resourceVersion);
    const gone = await refusalOf(one.list('configmaps', { limit: 1, continue: first.continue ?? '' }));
    expect(gone).toMatchObject({ code: 410, reason: 'Expired', metadata: { continue: expect.any(String) } });
    expect(
      await refusalOf(
        one.list('configmaps', {
          resourceVersion: metadata.resourceVersion ?? '',
          resourceVersionMatch: 'Exact',
        }),
      ),
    ).toMatchObject({ code: 410 });
    const restarted = await open();
    const old = { resourceVersion: metadata.resourceVersion ?? '' };
    try {
      expect(await refusalOf(restarted.watch('configmaps', old))).toMatchObject({ code: 410 });
    } finally {
      await restarted.stop();
    }
    const fresh = await one.list('configmaps');
    const events = await one.watch('configmaps', { resourceVersion: String(fresh.resourceVersion) });
    await two.create('configmaps', configMap('late'));
    const [added] = await follow(events, () => true);
    expect(added).toMatchObject({ type: 'ADDED', stored: { object: { metadata: { name: 'late' } } } });
    await events.return?.();
  });

  it('serve in bounded time while etcd is away, and lose nothing when it is back', async () => {
    const before = await one.create('configmaps', configMap('outage', { count: '1' }));
    const events = await one.watch('configmaps', {
      fieldSelector: 'metadata.name=outage',
      resourceVersion: before.metadata.resourceVersion ?? '',
    });
    // Only what the cache has heard of can be read from it while the store is away.
    await one.eventually(() => one.get('configmaps', 'outage', '0').catch(() => undefined));
    await etcd.kill('SIGKILL');
    const startMs = performance.now();
    expect([503, 504]).toContain((await refusalOf(one.get('configmaps', 'outage'))).code);
    expect([503, 504]).toContain((await refusalOf(one.list('configmaps'))).code);
    expect(performance.now() - startMs).toBeLessThan(8_000);
    expect(await one.get('configmaps', 'outage', '0')).toMatchObject({ data: { count: '1' } });
    await etcd.restart();
    const body = { data: { count: '2' } };
    await two.eventually(() =>
      two.patch('configmaps', 'outage', { type: 'merge', body }).catch(() => undefined),
    );
    expect((await follow(events, (change) => countOf(change) === 2)).map(countOf)).toEqual([2]);
    expect(one.registries.ready()).toBe(true);
    await events.return?.();
  }, 60_000);
});
