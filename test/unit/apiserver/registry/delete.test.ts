import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ApiFixture,
  configMap,
  container,
  type Loose,
  refusalOf,
  startApi,
} from '../../../support/registries.ts';

let api: ApiFixture;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

const isGone = (resource: string, name: string): Promise<true | undefined> =>
  api.get(resource, name).then(
    () => undefined,
    () => true as const,
  );

describe('delete', () => {
  it('removes what nothing holds', async () => {
    await api.create('configmaps', configMap('free'));
    expect(await api.remove('configmaps', 'free')).toMatchObject({ finished: true });
    expect(await refusalOf(api.remove('configmaps', 'free'))).toMatchObject({
      code: 404,
      message: 'configmaps "free" not found',
    });
  });

  it('marks what a finalizer holds, once, and removes it when the last one goes', async () => {
    const created = await api.create(
      'containers',
      container('held', { metadata: { finalizers: ['hostler.dev/host'] } }),
    );
    const marked = await api.remove('containers', 'held');
    expect(marked).toMatchObject({
      finished: false,
      object: {
        metadata: { deletionTimestamp: expect.any(String), deletionGracePeriodSeconds: 0, generation: 2 },
      },
    });
    const again = await api.remove('containers', 'held');
    expect(again.object.metadata.resourceVersion).toBe(marked.object.metadata.resourceVersion);
    expect(await refusalOf(api.create('containers', container('held')))).toMatchObject({
      code: 409,
      message: 'object is being deleted: containers.hostler.dev "held" already exists',
    });
    await api.patch('containers', 'held', { type: 'merge', body: { metadata: { finalizers: [] } } });
    expect(await isGone('containers', 'held')).toBe(true);
    expect((await api.create('containers', container('held'))).metadata.uid).not.toBe(created.metadata.uid);
  });

  it('lets nobody hold what is being deleted', async () => {
    await api.create('configmaps', configMap('going', {}, { finalizers: ['a.b/c'] }));
    await api.remove('configmaps', 'going');
    const body = { metadata: { finalizers: ['a.b/c', 'd.e/f'] } };
    expect(await refusalOf(api.patch('configmaps', 'going', { type: 'merge', body }))).toMatchObject({
      code: 422,
      message:
        'ConfigMap "going" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"d.e/f"}',
    });
  });

  it('comes through while others keep writing', async () => {
    await api.create('configmaps', configMap('contested'));
    const writers = [0, 1].map(async (writer) => {
      for (let count = 0; count < 15; count++) {
        const body = { data: { [`w${writer}`]: String(count) } };
        await api.patch('configmaps', 'contested', { type: 'merge', body }).catch(() => undefined);
      }
    });
    expect(await api.remove('configmaps', 'contested')).toMatchObject({ finished: true });
    await Promise.all(writers);
    expect(await isGone('configmaps', 'contested')).toBe(true);
  });

  it('in a dry run removes nothing', async () => {
    await api.create('configmaps', configMap('kept'));
    expect(await api.remove('configmaps', 'kept', { dryRun: true })).toMatchObject({ finished: true });
    expect(await api.get('configmaps', 'kept')).toBeDefined();
  });

  it.each([
    ['uid', { uid: 'x' }, 'the UID in the precondition (x) does not match the UID in record'],
    [
      'resourceVersion',
      { resourceVersion: '1' },
      'the ResourceVersion in the precondition (1) does not match',
    ],
  ])('is refused when its %s is another', async (_what, preconditions, message) => {
    await api.create('configmaps', configMap('pre')).catch(() => undefined);
    expect(await refusalOf(api.remove('configmaps', 'pre', { preconditions }))).toMatchObject({
      code: 409,
      message: expect.stringContaining(message),
    });
  });

  it('of a pool that containers name is refused, with some of their names', async () => {
    const pool = { apiVersion: 'hostler.dev/v1alpha1', kind: 'StoragePool', metadata: { name: 'fast' } };
    await api.create('storagepools', { ...pool, spec: { driver: 'dir' } } as Loose);
    for (const name of ['p1', 'p2', 'p3', 'p4']) {
      await api.create('containers', container(name, { spec: { rootPool: 'fast' } }));
    }
    expect(await refusalOf(api.remove('storagepools', 'fast'))).toMatchObject({
      code: 409,
      message:
        'Operation cannot be fulfilled on storagepools.hostler.dev "fast": it holds the root or a volume of 4 containers: default/p1, default/p2, default/p3 and 1 more',
    });
    for (const name of ['p1', 'p2', 'p3', 'p4']) await api.remove('containers', name);
    expect(await api.remove('storagepools', 'fast')).toMatchObject({ finished: true });
  });

  it('of a pool is not held up by containers that are being deleted themselves', async () => {
    const pool = { apiVersion: 'hostler.dev/v1alpha1', kind: 'StoragePool', metadata: { name: 'going' } };
    await api.create('storagepools', { ...pool, spec: { driver: 'dir' } } as Loose);
    const held = container('leaving', { spec: { rootPool: 'going' } });
    held.metadata = { ...held.metadata, finalizers: ['hostler.dev/host'] };
    await api.create('containers', held);
    expect(await api.remove('containers', 'leaving')).toMatchObject({ finished: false });
    expect(await api.remove('storagepools', 'going')).toMatchObject({ finished: true });
  });

  it('of a collection removes what is selected', async () => {
    for (const name of ['c1', 'c2', 'c3']) {
      await api.create('configmaps', configMap(name, {}, { labels: { set: name === 'c3' ? 'b' : 'a' } }));
    }
    const call = { user: { name: 't', groups: [] }, signal: AbortSignal.timeout(5_000), warn() {} };
    const query = { namespace: 'default', labelSelector: 'set=a' };
    const { items } = await api.registry('configmaps').deleteCollection(query, { dryRun: false }, call);
    expect(items.map(({ object }) => object.metadata.name).sort()).toEqual(['c1', 'c2']);
    expect(await api.get('configmaps', 'c3')).toBeDefined();
  });
});
