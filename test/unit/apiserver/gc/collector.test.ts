import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ApiFixture, configMap, type Loose, startApi } from '../../../support/registries.ts';

let api: ApiFixture;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

const ownedBy = (name: string, owner: Loose, more: object = {}): Loose =>
  configMap(
    name,
    {},
    {
      ownerReferences: [
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          name: owner.metadata.name,
          uid: owner.metadata.uid ?? '',
          ...more,
        },
      ],
    },
  );
const isGone = (name: string): Promise<true | undefined> =>
  api.get('configmaps', name).then(
    () => undefined,
    () => true as const,
  );

describe('garbage collection', () => {
  it('deletes what a deleted owner leaves behind, and what that owned', async () => {
    const top = await api.create('configmaps', configMap('top'));
    const middle = await api.create('configmaps', ownedBy('middle', top));
    await api.create('configmaps', ownedBy('bottom', middle));
    expect(await api.remove('configmaps', 'top')).toMatchObject({ finished: true });
    await api.eventually(() => isGone('bottom'));
    expect(await isGone('middle')).toBe(true);
  });

  it('deletes what names an owner of another uid', async () => {
    await api.create('configmaps', configMap('renewed'));
    await api.create(
      'configmaps',
      ownedBy('orphaned', { ...configMap('renewed'), metadata: { name: 'renewed', uid: 'old' } }),
    );
    await api.eventually(() => isGone('orphaned'));
    expect(await api.get('configmaps', 'renewed')).toBeDefined();
  });

  it('keeps what still has an owner, and drops the reference to the one that is gone', async () => {
    const [one, two] = await Promise.all(
      ['one', 'two'].map((name) => api.create('configmaps', configMap(name))),
    );
    const shared = ownedBy('shared', one as Loose);
    shared.metadata.ownerReferences?.push({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: 'two',
      uid: (two as Loose).metadata.uid ?? '',
    });
    await api.create('configmaps', shared);
    await api.remove('configmaps', 'one');
    const left = await api.eventually(async () => {
      const { metadata } = await api.get('configmaps', 'shared');
      return metadata.ownerReferences?.length === 1 ? metadata : undefined;
    });
    expect(left.ownerReferences).toMatchObject([{ name: 'two' }]);
  });

  it('lets dependents live when they are to be orphaned', async () => {
    const owner = await api.create('configmaps', configMap('parent'));
    await api.create('configmaps', ownedBy('child', owner));
    expect(await api.remove('configmaps', 'parent', { propagationPolicy: 'Orphan' })).toMatchObject({
      finished: false,
    });
    await api.eventually(() => isGone('parent'));
    expect((await api.get('configmaps', 'child')).metadata.ownerReferences).toBeUndefined();
  });

  it('deletes dependents first when asked to', async () => {
    const owner = await api.create('configmaps', configMap('boss'));
    const worker = ownedBy('worker', owner, { blockOwnerDeletion: true });
    worker.metadata.finalizers = ['test.dev/hold'];
    await api.create('configmaps', worker);
    await api.remove('configmaps', 'boss', { propagationPolicy: 'Foreground' });
    await api.eventually(async () => (await api.get('configmaps', 'worker')).metadata.deletionTimestamp);
    expect((await api.get('configmaps', 'boss')).metadata).toMatchObject({
      finalizers: ['foregroundDeletion'],
    });
    await api.patch('configmaps', 'worker', { type: 'merge', body: { metadata: { finalizers: null } } });
    await api.eventually(() => isGone('boss'));
  });

  it('leaves alone what is owned by a kind that is not served', async () => {
    const foreign = configMap(
      'foreign',
      {},
      {
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'x', uid: 'y' }],
      },
    );
    await api.create('configmaps', foreign);
    const probe = await api.create('configmaps', configMap('probe'));
    await api.create('configmaps', ownedBy('after', probe));
    await api.remove('configmaps', 'probe');
    await api.eventually(() => isGone('after'));
    expect(await api.get('configmaps', 'foreign')).toBeDefined();
  });
});
