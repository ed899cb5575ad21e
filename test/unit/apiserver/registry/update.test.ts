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

describe('update', () => {
  it('counts a generation for each change of the spec, and writes nothing when nothing changes', async () => {
    const created = await api.create('containers', container('gen'));
    const same = await api.update('containers', structuredClone(created));
    expect(same.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
    const labelled = await api.update('containers', {
      ...created,
      metadata: { ...created.metadata, labels: { a: 'b' } },
    });
    expect(labelled.metadata).toMatchObject({ generation: 1, uid: created.metadata.uid });
    const stopped = await api.update('containers', {
      ...labelled,
      spec: { ...(labelled['spec'] as object), power: 'Stopped' },
    } as Loose);
    expect(stopped.metadata.generation).toBe(2);
  });

  it('is refused on top of an older version', async () => {
    const created = await api.create('containers', container('stale'));
    await api.patch('containers', 'stale', { type: 'merge', body: { metadata: { labels: { a: '1' } } } });
    expect(await refusalOf(api.update('containers', created))).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on containers.hostler.dev "stale": the object has been modified; please apply your changes to the latest version and try again',
    });
  });

  it('needs a version for custom resources and none for config maps', async () => {
    await api.create('containers', container('cond'));
    expect(await refusalOf(api.update('containers', container('cond')))).toMatchObject({
      code: 422,
      message:
        'Container.hostler.dev "cond" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update',
    });
    await api.create('configmaps', configMap('cond', { a: '1' }));
    expect(await api.update('configmaps', configMap('cond', { a: '2' }))).toMatchObject({ data: { a: '2' } });
  });

  it.each(['containers', 'configmaps'])(
    'of %s that are not there says so, with or without a version',
    async (kind) => {
      const absent = kind === 'containers' ? container('absent') : configMap('absent');
      expect(await refusalOf(api.update(kind, absent))).toMatchObject({ code: 404, reason: 'NotFound' });
      const versioned = { ...absent, metadata: { ...absent.metadata, resourceVersion: '7' } };
      expect(await refusalOf(api.update(kind, versioned))).toMatchObject({ code: 404, reason: 'NotFound' });
    },
  );

  it('keeps spec and status apart', async () => {
    const created = await api.create('containers', container('apart'));
    const status = { phase: 'Running', nodeName: 'host-1' };
    const both = { ...created, spec: { image: 'images:other' }, status };
    const withStatus = await api.update('containers', both, { subresource: 'status' });
    expect(withStatus).toMatchObject({
      spec: { image: 'images:debian/12' },
      status,
      metadata: { generation: 1 },
    });
    const withSpec = await api.update('containers', {
      ...withStatus,
      spec: { ...(withStatus['spec'] as object), power: 'Stopped' },
      status: {},
    } as Loose);
    expect(withSpec).toMatchObject({ spec: { power: 'Stopped' }, status });
  });

  it('of a status that there is not finds no such path', async () => {
    await api.create('configmaps', configMap('plain'));
    expect(
      await refusalOf(api.update('configmaps', configMap('plain'), { subresource: 'status' })),
    ).toMatchObject({
      code: 404,
    });
  });

  it.each([
    [
      'a change of an immutable field',
      { spec: { image: 'images:x' } },
      422,
      'spec.image: Invalid value: "images:x": field is immutable',
    ],
    [
      'another uid',
      { metadata: { uid: 'x' } },
      409,
      'Precondition failed: UID in precondition: x, UID in object meta:',
    ],
    [
      'another time of creation',
      { metadata: { creationTimestamp: '2020-01-01T00:00:00Z' } },
      422,
      'metadata.creationTimestamp: Invalid value: "2020-01-01T00:00:00Z": field is immutable',
    ],
    [
      'another name',
      { metadata: { name: 'other' } },
      400,
      'the name of the object (other) does not match the name on the URL (fixed)',
    ],
  ])('refuses %s', async (_what, body, code, message) => {
    await api.create('containers', container('fixed')).catch(() => undefined);
    const status = await refusalOf(api.patch('containers', 'fixed', { type: 'merge', body }));
    expect(status).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('in a dry run changes nothing', async () => {
    await api.create('configmaps', configMap('dryer', { a: '1' }));
    const dry = await api.update('configmaps', configMap('dryer', { a: '2' }), { dryRun: true });
    expect(dry).toMatchObject({ data: { a: '2' } });
    expect(await api.get('configmaps', 'dryer')).toMatchObject({ data: { a: '1' } });
  });
});

describe('patch', () => {
  it('applies each kind of patch', async () => {
    await api.create('configmaps', configMap('patched', { a: '1' }));
    await api.patch('configmaps', 'patched', { type: 'merge', body: { data: { b: '2' } } });
    await api.patch('configmaps', 'patched', {
      type: 'json',
      body: [{ op: 'replace', path: '/data/a', value: '3' }],
    });
    await api.patch('configmaps', 'patched', {
      type: 'strategic-merge',
      body: { data: { c: '4', b: null } },
    });
    expect(await api.get('configmaps', 'patched')).toMatchObject({ data: { a: '3', c: '4' } });
  });

  it('of strategic merge is not for custom resources', async () => {
    await api.create('containers', container('smp'));
    expect(
      await refusalOf(api.patch('containers', 'smp', { type: 'strategic-merge', body: {} })),
    ).toMatchObject({
      code: 415,
      reason: 'UnsupportedMediaType',
    });
  });

  it('with a version is refused when that is not the present one', async () => {
    await api.create('configmaps', configMap('versioned'));
    const body = { metadata: { resourceVersion: '1' }, data: { a: 'b' } };
    expect(await refusalOf(api.patch('configmaps', 'versioned', { type: 'merge', body }))).toMatchObject({
      code: 409,
    });
  });

  it('without a version holds against others who write at the same time', async () => {
    await api.create('configmaps', configMap('busy'));
    const writers = Array.from({ length: 5 }, (_, index) =>
      api.patch('configmaps', 'busy', { type: 'merge', body: { data: { [`k${index}`]: 'x' } } }),
    );
    await Promise.all(writers);
    expect(Object.keys((await api.get('configmaps', 'busy'))['data'] as object)).toHaveLength(5);
  });

  it('with a failing test is refused', async () => {
    await api.create('configmaps', configMap('tested', { a: '1' }));
    const body = [{ op: 'test', path: '/data/a', value: '2' }];
    expect(await refusalOf(api.patch('configmaps', 'tested', { type: 'json', body }))).toMatchObject({
      code: 422,
      message: 'the server rejected our request due to an error in our request',
    });
  });
});

describe('secrets', () => {
  it('take texts and keep bytes', async () => {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      stringData: { a: 'hi' },
    } as Loose;
    const created = await api.create('secrets', secret);
    expect(created).toMatchObject({ type: 'Opaque', data: { a: 'aGk=' } });
    expect(created).not.toHaveProperty('stringData');
  });

  it('that are immutable stay as they are', async () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'i' }, immutable: true } as Loose;
    await api.create('secrets', secret);
    const body = { data: { a: 'aGk=' } };
    expect(await refusalOf(api.patch('secrets', 'i', { type: 'merge', body }))).toMatchObject({
      message: 'Secret "i" is invalid: data: Forbidden: field is immutable when `immutable` is set',
    });
  });
});
