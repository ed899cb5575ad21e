import { describe, expect, it } from '@jest/globals';
import type { ContainerSpec } from '../../../../src/crds/container.ts';
import { failoverOf, isMovable, mayLetGo } from '../../../../src/plan/failover/eligibility.ts';
import { container, storagePool } from '../../../support/cluster-objects.ts';

const shared = storagePool('shared');
const pools = new Map(
  [storagePool(), { ...shared, spec: { ...shared.spec, access: 'Shared' as const } }].map((pool) => [
    pool.metadata.name,
    pool,
  ]),
);
const of = (spec: Partial<ContainerSpec> & { volumes?: { name: string; pool: string; path: string }[] }) =>
  failoverOf(container('web', { spec }), pools);

describe('failoverOf', () => {
  it.each([
    ['its root is on a pool of one node', {}, 'its root is on storage pool default, which only its host has'],
    [
      'its root is on a pool that is not known',
      { rootPool: 'fast' },
      'its root is on storage pool fast, which only its host has',
    ],
    [
      'people want it to stay',
      { failover: { policy: 'Stay' as const }, rootPool: 'shared' },
      'spec.failover.policy is Stay',
    ],
    [
      'it is pinned',
      { failover: { policy: 'Recreate' as const }, placement: { nodeName: 'host-1' } },
      'spec.placement.nodeName pins it to host-1',
    ],
    [
      'a volume is on a pool of one node',
      { rootPool: 'shared', volumes: [{ name: 'data', pool: 'default', path: '/srv' }] },
      'its volume data is on storage pool default, which only its host has',
    ],
    [
      'its root is disposable but policy is Recover, even with shared volumes',
      { volumes: [{ name: 'data', pool: 'shared', path: '/srv' }] },
      'its root is on storage pool default, which only its host has',
    ],
  ])('keeps a container with its host when %s', (_, spec, reason) => {
    expect(of(spec)).toEqual({ eligible: false, how: 'Stay', reason });
  });

  it.each([
    ['all of its data is shared', { rootPool: 'shared' }, 'Recover'],
    [
      'it may be made anew',
      {
        failover: { policy: 'Recreate' as const },
        volumes: [{ name: 'data', pool: 'shared', path: '/srv' }],
      },
      'Recreate',
    ],
    ['an empty pin is no pin', { rootPool: 'shared', placement: { nodeName: '' } }, 'Recover'],
  ])('lets a container go elsewhere when %s', (_, spec, how) => {
    expect(of(spec)).toEqual({ eligible: true, how });
  });
});

const deleting = { deletionTimestamp: '2026-01-01T00:00:00Z' };

describe('isMovable', () => {
  const policy = (name: 'Recreate' | 'Stay') => ({ failover: { policy: name } });
  it.each([
    ['it is wanted and agreed on', policy('Recreate'), 'Recreate', true],
    ['it was wanted only after the node was cut off', policy('Recreate'), 'Stay', false],
    ['nothing was agreed on', policy('Recreate'), undefined, false],
    ['it is not wanted any more', policy('Stay'), 'Recreate', false],
  ] as const)('%s: %s', (_, spec, agreed, expected) => {
    const status = agreed === undefined ? {} : { failover: agreed };
    expect(isMovable({ ...container('web', { spec }), status }, pools)).toBe(expected);
  });

  it('leaves what is being deleted', () => {
    const web = container('web', { spec: policy('Recreate'), metadata: deleting });
    expect(isMovable({ ...web, status: { failover: 'Recreate' } }, pools)).toBe(false);
  });

  it('brings what is being deleted to where its files on shared storage can be removed', () => {
    const web = container('web', { spec: { rootPool: 'shared' }, metadata: deleting });
    expect(isMovable({ ...web, status: { failover: 'Recover' } }, pools)).toBe(true);
  });
});

describe('mayLetGo', () => {
  const local = { failover: { policy: 'Recreate' } } as const;
  const stay = { failover: { policy: 'Stay' } } as const;
  it.each([
    { when: 'it has stopped with the lease', spec: local, agreed: 'Recreate', by: 'LeaseExpired', may: true },
    { when: 'it may run on without a lease', spec: stay, agreed: 'Stay', by: 'LeaseExpired', may: false },
    { when: 'an operator says so', spec: stay, agreed: 'Stay', by: 'Operator: alice', may: true },
    { when: 'its host was switched off', spec: stay, agreed: 'Stay', by: 'Fencing: redfish', may: true },
    {
      when: 'it has files elsewhere',
      spec: { rootPool: 'shared' },
      agreed: 'Recover',
      by: 'Operator: alice',
      may: false,
    },
  ] as const)('$when: $may', ({ spec, agreed, by, may }) => {
    const status = { failover: agreed };
    const web = { ...container('web', { spec, metadata: deleting }), status };
    expect(mayLetGo(web, pools, by)).toBe(may);
    expect(mayLetGo({ ...container('web', { spec }), status }, pools, by)).toBe(false);
  });
});
