import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ApiFixture, configMap, type Loose, refusalOf, startApi } from '../../../support/registries.ts';

let api: ApiFixture;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

const namespace = (name: string): Loose => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

describe('namespaces', () => {
  it('are there from the start, and those stay', async () => {
    expect(await api.get('namespaces', 'default')).toMatchObject({
      metadata: { labels: { 'kubernetes.io/metadata.name': 'default' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
    expect(await refusalOf(api.remove('namespaces', 'default'))).toMatchObject({
      code: 403,
      message: 'namespaces "default" is forbidden: this namespace may not be deleted',
    });
  });

  it('end when everything in them has gone, and take nothing new meanwhile', async () => {
    await api.create('namespaces', namespace('team'));
    const held = configMap('held', {}, { namespace: 'team', finalizers: ['test.dev/hold'] });
    await api.create('configmaps', held);
    await api.create('configmaps', configMap('free', {}, { namespace: 'team' }));
    const marked = await api.remove('namespaces', 'team');
    expect(marked).toMatchObject({ finished: false, object: { status: { phase: 'Terminating' } } });
    const refused = await refusalOf(api.create('configmaps', configMap('late', {}, { namespace: 'team' })));
    expect(refused).toMatchObject({
      code: 403,
      message:
        'configmaps "late" is forbidden: unable to create new content in namespace team because it is being terminated',
      details: { causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] },
    });
    await api.eventually(async () =>
      (await api.list('configmaps', { namespace: 'team' })).items.length === 1 ? true : undefined,
    );
    expect(await api.get('namespaces', 'team')).toBeDefined();
    const call = { user: { name: 't', groups: [] }, signal: AbortSignal.timeout(5_000), warn() {} };
    await api
      .registry('configmaps')
      .patch(
        { namespace: 'team', name: 'held' },
        { type: 'merge', body: { metadata: { finalizers: null } } },
        { dryRun: false, fieldValidation: 'Warn' },
        call,
      );
    await api.eventually(() =>
      api.get('namespaces', 'team').then(
        () => undefined,
        () => true as const,
      ),
    );
  });

  it('are named by a DNS label', async () => {
    expect(await refusalOf(api.create('namespaces', namespace('a.b')))).toMatchObject({
      code: 422,
      message: expect.stringContaining(
        'metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label must',
      ),
    });
  });
});
