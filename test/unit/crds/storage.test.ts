import { describe, expect, it } from '@jest/globals';
import { type ContainerSpec, containerKind } from '../../../src/crds/container.ts';
import { storagePoolKind, type StoragePoolSpec } from '../../../src/crds/storage-pool.ts';
import { container, storagePool } from '../../support/cluster-objects.ts';

const poolFaults = (spec: Partial<StoragePoolSpec>, old?: Partial<StoragePoolSpec>) =>
  (storagePoolKind.validate?.(storagePool('p', { spec }), old && storagePool('p', { spec: old })) ?? []).map(
    ({ field }) => field,
  );
const containerFaults = (spec: Partial<ContainerSpec>, old?: Partial<ContainerSpec>) =>
  (containerKind.validate?.(container('web', { spec }), old && container('web', { spec: old })) ?? []).map(
    ({ field, message }) => `${field}: ${message}`,
  );

describe('a Shared StoragePool', () => {
  const shared = { access: 'Shared', source: '/mnt/shared' } as const;
  it.each([
    ['is a mount point with driver dir', shared, []],
    ['wants a source', { access: 'Shared' } as const, ['spec.source']],
    ['wants driver dir', { ...shared, driver: 'btrfs' } as const, ['spec.driver']],
    ['has no settings at the daemon', { ...shared, config: { 'user.x': '1' } }, ['spec.config']],
    ['does not lie below ..', { ...shared, source: '/mnt/../etc' }, ['spec.source']],
    ['is an absolute path', { ...shared, source: 'mnt/shared' }, ['spec.source']],
    ['is in its shortest form', { ...shared, source: '/mnt//shared' }, ['spec.source']],
    ['has no slash at its end', { ...shared, source: '/mnt/shared/' }, ['spec.source']],
    ['is not the root', { ...shared, source: '/' }, ['spec.source']],
  ])('%s', (_case, spec, faults) => {
    expect(poolFaults(spec)).toEqual(faults);
  });

  it('stays what it is', () => {
    expect(poolFaults(shared, { source: '/mnt/shared' })).toEqual(['spec.access']);
  });
});

describe('volumes', () => {
  const data = { name: 'data', pool: 'shared', path: '/srv' };
  it.each([
    ['are folders at paths of their own', [data, { ...data, name: 'more', path: '/srv/more' }], []],
    [
      'are not two at one path',
      [data, { ...data, name: 'more' }],
      ['spec.volumes[1].path: Invalid value: "/srv": volume data is there already'],
    ],
    [
      'are not the root',
      [{ ...data, path: '/' }],
      ['spec.volumes[0].path: Invalid value: "/": must be a path in its shortest form, and not /'],
    ],
    [
      'are not elsewhere by way of ..',
      [{ ...data, path: '/srv/../etc' }],
      ['spec.volumes[0].path: Invalid value: "/srv/../etc": must be a path in its shortest form, and not /'],
    ],
    [
      'do not take the name of the root',
      [{ ...data, name: 'root' }],
      ['spec.volumes[0].name: Invalid value: "root": the root or a network has this name'],
    ],
    [
      'do not take the name of a network',
      [{ ...data, name: 'eth0' }],
      ['spec.volumes[0].name: Invalid value: "eth0": the root or a network has this name'],
    ],
  ])('%s', (_case, volumes, faults) => {
    expect(containerFaults({ volumes, networks: [{ name: 'eth0', network: 'lan' }] })).toEqual(faults);
  });

  it('keep their pool, and may come, go and be seen elsewhere', () => {
    const old = { volumes: [data] };
    expect(containerFaults({ volumes: [{ ...data, pool: 'other' }] }, old)).toEqual([
      'spec.volumes[0].pool: Invalid value: "other": field is immutable',
    ]);
    expect(
      containerFaults(
        {
          volumes: [
            { ...data, path: '/data' },
            { ...data, name: 'b' },
          ],
        },
        old,
      ),
    ).toEqual([]);
    expect(containerFaults({}, old)).toEqual([]);
  });
});
