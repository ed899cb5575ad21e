import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createFakeStorage } from '../../../support/fake-storage.ts';
import { type ApiFixture, configMap, container, refusalOf, startApi } from '../../../support/registries.ts';
import { HostlerError } from '../../../../src/ports/errors.ts';
import type { StoredList } from '../../../../src/apiserver/registry/registry.ts';

const storage = createFakeStorage();
let api: ApiFixture;
beforeAll(async () => {
  api = await startApi({ storage });
  for (let index = 0; index < 10; index++) {
    await api.create(
      'configmaps',
      configMap(`m${index}`, {}, { labels: { parity: index % 2 === 0 ? 'even' : 'odd' } }),
    );
  }
});
afterAll(() => api.stop());

const names = ({ items }: StoredList): string[] => items.map(({ object }) => object.metadata.name);

describe('list', () => {
  it('shows what was written just before', async () => {
    const { metadata } = await api.create('configmaps', configMap('n0'));
    const list = await api.list('configmaps');
    expect(names(list)).toContain('n0');
    expect(list.resourceVersion).toBeGreaterThanOrEqual(Number(metadata.resourceVersion));
    await api.remove('configmaps', 'n0');
    expect(names(await api.list('configmaps'))).not.toContain('n0');
  });

  it.each([
    ['labels', { labelSelector: 'parity=odd' }, ['m1', 'm3', 'm5', 'm7', 'm9']],
    ['a name', { fieldSelector: 'metadata.name=m4' }, ['m4']],
    ['another namespace', { namespace: 'hostler-nodes' }, []],
  ])('selects by %s', async (_what, query, expected) => {
    expect(names(await api.list('configmaps', query))).toEqual(expected);
  });

  it('selects by the fields of the kind', async () => {
    await api.create('containers', container('placed'));
    await api.create('containers', container('unplaced'));
    await api.patch(
      'containers',
      'placed',
      { type: 'merge', body: { status: { nodeName: 'h1' } } },
      { subresource: 'status' },
    );
    expect(names(await api.list('containers', { fieldSelector: 'status.nodeName=h1' }))).toEqual(['placed']);
    expect(names(await api.list('containers', { fieldSelector: 'status.nodeName=' }))).toEqual(['unplaced']);
  });

  it('gives pages of one state, whatever is written in between', async () => {
    const first = await api.list('configmaps', { limit: 4 });
    expect(first).toMatchObject({ remainingItemCount: 6, continue: expect.any(String) });
    await api.create('configmaps', configMap('m55'));
    const second = await api.list('configmaps', { limit: 4, continue: first.continue ?? '' });
    const third = await api.list('configmaps', { limit: 4, continue: second.continue ?? '' });
    expect(third.continue).toBeUndefined();
    expect([first, second, third].flatMap(names)).toEqual(
      Array.from({ length: 10 }, (_, index) => `m${index}`),
    );
    expect(new Set([first, second, third].map(({ resourceVersion }) => resourceVersion)).size).toBe(1);
    await api.remove('configmaps', 'm55');
  });

  it('gives pages of what is selected', async () => {
    const first = await api.list('configmaps', { limit: 3, labelSelector: 'parity=even' });
    const second = await api.list('configmaps', {
      limit: 3,
      labelSelector: 'parity=even',
      continue: first.continue ?? '',
    });
    expect([first, second].flatMap(names)).toEqual(['m0', 'm2', 'm4', 'm6', 'm8']);
    expect(first.remainingItemCount).toBeUndefined();
  });

  it('says so when the state of the pages is gone, and offers to go on with the present one', async () => {
    const first = await api.list('configmaps', { limit: 4 });
    await api.patch('configmaps', 'm9', { type: 'merge', body: { data: { x: 'y' } } });
    storage.compact(first.resourceVersion + 1);
    const gone = await refusalOf(api.list('configmaps', { limit: 4, continue: first.continue ?? '' }));
    expect(gone).toMatchObject({ code: 410, reason: 'Expired', metadata: { continue: expect.any(String) } });
    const rest = await api.list('configmaps', { continue: gone.metadata.continue ?? '' });
    expect(names(rest)).toEqual(['m4', 'm5', 'm6', 'm7', 'm8', 'm9']);
  });

  it('as of a revision shows that state', async () => {
    const { metadata } = await api.create('configmaps', configMap('z1'));
    await api.remove('configmaps', 'z1');
    const resourceVersion = metadata.resourceVersion ?? '';
    const exact = await api.list('configmaps', { resourceVersion, resourceVersionMatch: 'Exact' });
    expect(names(exact)).toContain('z1');
    expect(
      names(await api.list('configmaps', { resourceVersion, resourceVersionMatch: 'NotOlderThan' })),
    ).toContain('m0');
  });

  it.each([
    [
      'a selector that is none',
      { labelSelector: 'a in' },
      400,
      "unable to parse requirement: found '' expected: '('",
    ],
    [
      'a field that is not offered',
      { fieldSelector: 'spec.x=1' },
      400,
      '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ],
    ['a continue token that is none', { continue: 'abc' }, 400, 'continue key is not valid'],
    [
      'a version that is none',
      { resourceVersion: 'abc' },
      400,
      'resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax',
    ],
    [
      'a match without a version',
      { resourceVersionMatch: 'Exact' },
      422,
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    ],
  ])('refuses %s', async (_what, query, code, message) => {
    expect(await refusalOf(api.list('configmaps', query))).toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it('refuses a field of a custom resource that is not offered', async () => {
    expect(await refusalOf(api.list('containers', { fieldSelector: 'spec.image=x' }))).toMatchObject({
      code: 400,
      message: 'field label not supported: spec.image',
    });
  });
});

describe('when the store does not answer', () => {
  it.each([
    ['is away', 'Unavailable', 503, 'ServiceUnavailable'],
    ['is too slow', 'Timeout', 504, 'Timeout'],
  ] as const)('says that it %s, and goes on afterwards', async (_what, code, status, reason) => {
    storage.failWith(new HostlerError(code, 'test'));
    try {
      expect(await refusalOf(api.list('configmaps'))).toMatchObject({ code: status, reason });
      expect(await refusalOf(api.get('configmaps', 'm0'))).toMatchObject({ code: status });
      expect(await refusalOf(api.create('configmaps', configMap('no')))).toMatchObject({ code: status });
      expect(await api.get('configmaps', 'm0', '0')).toBeDefined();
    } finally {
      storage.failWith(undefined);
    }
    expect(await api.get('configmaps', 'm0')).toBeDefined();
  });
});
