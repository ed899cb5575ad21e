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

describe('create', () => {
  it('gives defaults, a uid, a generation and a time, and leaves out the status that was sent', async () => {
    const created = await api.create('containers', container('web', { status: { phase: 'Running' } }));
    expect(created).toMatchObject({
      metadata: {
        name: 'web',
        namespace: 'default',
        generation: 1,
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        resourceVersion: expect.stringMatching(/^\d+$/),
        creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
      spec: {
        power: 'Running',
        rootPool: 'default',
        restart: { policy: 'Always', backoff: { initial: '1s' } },
      },
    });
    expect(created).not.toHaveProperty('status');
  });

  it('makes up a name, another one each time', async () => {
    const made = [1, 2].map(() =>
      api.create('configmaps', { ...configMap(''), metadata: { generateName: 'job-' } as never }),
    );
    const names = (await Promise.all(made)).map(({ metadata }) => metadata.name);
    expect(names).toEqual([
      expect.stringMatching(/^job-[a-z0-9]{5}$/),
      expect.stringMatching(/^job-[a-z0-9]{5}$/),
    ]);
    expect(new Set(names).size).toBe(2);
  });

  it('writes nothing in a dry run, and still checks everything', async () => {
    const dry = await api.create('configmaps', configMap('dry'), { dryRun: true });
    expect(dry.metadata.resourceVersion).toBeUndefined();
    expect(await refusalOf(api.get('configmaps', 'dry'))).toMatchObject({ code: 404 });
    await api.create('configmaps', configMap('dry'));
    expect(await refusalOf(api.create('configmaps', configMap('dry'), { dryRun: true }))).toMatchObject({
      code: 409,
      message: 'configmaps "dry" already exists',
    });
  });

  const refused: [string, string, object, { code: number; reason: string; message: string }][] = [
    [
      'a missing required field',
      'containers',
      { ...container('a'), spec: {} },
      {
        code: 422,
        reason: 'Invalid',
        message: 'Container.hostler.dev "a" is invalid: spec.image: Required value',
      },
    ],
    [
      'a wrong type',
      'containers',
      container('a', { spec: { image: 5 as never } }),
      {
        code: 422,
        reason: 'Invalid',
        message:
          'Container.hostler.dev "a" is invalid: spec.image: Invalid value: "integer": spec.image in body must be of type string: "integer"',
      },
    ],
    [
      'a value that is not offered',
      'containers',
      container('a', { spec: { power: 'Off' as never } }),
      {
        code: 422,
        reason: 'Invalid',
        message:
          'Container.hostler.dev "a" is invalid: spec.power: Unsupported value: "Off": supported values: "Running", "Stopped"',
      },
    ],
    [
      'two interfaces of one name',
      'containers',
      container('a', {
        spec: {
          networks: [
            { name: 'eth0', network: 'a' },
            { name: 'eth0', network: 'b' },
          ],
        },
      }),
      {
        code: 422,
        reason: 'Invalid',
        message:
          'Container.hostler.dev "a" is invalid: spec.networks[1]: Duplicate value: map[string]interface {}{"name":"eth0"}',
      },
    ],
    [
      'a rule of the kind that goes beyond the schema',
      'containers',
      container('a', { spec: { resources: { memory: '1Ki' } } }),
      {
        code: 422,
        reason: 'Invalid',
        message:
          'Container.hostler.dev "a" is invalid: spec.resources.memory: Invalid value: "1Ki": must be at least 1Mi',
      },
    ],
    [
      'a name that is no DNS name',
      'configmaps',
      configMap('A_b'),
      {
        code: 422,
        reason: 'Invalid',
        message: expect.stringContaining('a lowercase RFC 1123 subdomain must') as never,
      },
    ],
    [
      'no name at all',
      'configmaps',
      { ...configMap(''), metadata: {} },
      {
        code: 422,
        reason: 'Invalid',
        message: 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
      },
    ],
    [
      'a resourceVersion',
      'configmaps',
      configMap('a', {}, { resourceVersion: '5' }),
      {
        code: 400,
        reason: 'BadRequest',
        message: 'resourceVersion should not be set on objects to be created',
      },
    ],
    [
      'a bad label',
      'configmaps',
      configMap('a', {}, { labels: { 'a b': 'c' } }),
      {
        code: 422,
        reason: 'Invalid',
        message: expect.stringContaining(
          'metadata.labels: Invalid value: "a b": name part must consist of',
        ) as never,
      },
    ],
    [
      'an owner without a uid',
      'configmaps',
      configMap('a', {}, { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: '' }] }),
      {
        code: 422,
        reason: 'Invalid',
        message:
          'ConfigMap "a" is invalid: metadata.ownerReferences[0].uid: Invalid value: "": must not be empty',
      },
    ],
    [
      'a built-in kind of wrong types',
      'configmaps',
      { ...configMap('a'), data: { key: 5 } },
      {
        code: 400,
        reason: 'BadRequest',
        message:
          'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data.key of type string',
      },
    ],
    [
      'another kind',
      'containers',
      { ...container('a'), kind: 'Node' },
      {
        code: 422,
        reason: 'Invalid',
        message: 'Container.hostler.dev "a" is invalid: kind: Invalid value: "Node": must be Container',
      },
    ],
    [
      'another version',
      'containers',
      { ...container('a'), apiVersion: 'hostler.dev/v1' },
      {
        code: 400,
        reason: 'BadRequest',
        message:
          'the API version in the data (hostler.dev/v1) does not match the expected API version (hostler.dev/v1alpha1)',
      },
    ],
    [
      'a namespace that is not there',
      'configmaps',
      configMap('a', {}, { namespace: 'nowhere' }),
      { code: 404, reason: 'NotFound', message: 'namespaces "nowhere" not found' },
    ],
    [
      'bytes that are no base64',
      'secrets',
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' }, data: { key: '%%' } },
      { code: 422, reason: 'Invalid', message: expect.stringContaining('data[key]: Invalid value') as never },
    ],
  ];
  it.each(refused)('refuses %s', async (_what, resource, object, status) => {
    expect(await refusalOf(api.create(resource, object as Loose))).toMatchObject(status);
  });
});

describe('unknown fields', () => {
  const body = (): Loose => ({
    ...container('odd'),
    spec: { image: 'images:a', foo: 1, resources: { bar: 2 } },
  });

  it('are an error when they are to be', async () => {
    expect(
      await refusalOf(
        api.create('containers', body(), {
          fieldValidation: 'Strict',
          duplicateFields: ['duplicate field "spec.image"'],
        }),
      ),
    ).toMatchObject({
      code: 400,
      message:
        'Container in version "v1alpha1" cannot be handled as a Container: strict decoding error: duplicate field "spec.image", unknown field "spec.foo", unknown field "spec.resources.bar"',
    });
  });

  it('are warned of and left out otherwise', async () => {
    api.warnings.length = 0;
    const created = await api.create('containers', body());
    expect(api.warnings).toEqual(['unknown field "spec.foo"', 'unknown field "spec.resources.bar"']);
    expect(created['spec']).not.toHaveProperty('foo');
    await api.remove('containers', 'odd');
  });

  it('of a patch are an invalid patch', async () => {
    await api.create('configmaps', configMap('strict'));
    const patch = { type: 'merge', body: { spec: 1 } } as const;
    expect(
      await refusalOf(api.patch('configmaps', 'strict', patch, { fieldValidation: 'Strict' })),
    ).toMatchObject({
      code: 422,
      message:
        ' "" is invalid: patch: Invalid value: "{\\"spec\\":1}": strict decoding error: unknown field "spec"',
    });
  });
});
