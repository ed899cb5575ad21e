import { describe, expect, it } from '@jest/globals';
import { parseServerConfig } from '../../../src/config/server.ts';

const base = { dataDir: '/d', listen: '127.0.0.1:6443', etcd: 'embedded' };

describe('parseServerConfig', () => {
  it.each([
    ['an etcd of its own', {}, { kind: 'embedded' }],
    ['a certain etcd program', { etcdBinary: '/opt/etcd' }, { kind: 'embedded', binary: '/opt/etcd' }],
    ['an etcd that is there', { etcd: 'http://a:2379' }, { kind: 'external', endpoints: ['http://a:2379'] }],
  ])('takes %s', (_name, flags, etcd) => {
    expect(parseServerConfig({ ...base, ...flags })).toEqual({
      dataDir: '/d',
      listen: [{ host: '127.0.0.1', port: 6443 }],
      serverNames: [],
      etcd,
    });
  });

  it.each([
    ['a unix socket alone', { listen: 'unix:/run/api.sock' }, /the controllers use it/],
    ['certificates for an etcd of its own', { etcdCa: 'c' }, /makes its own/],
    ['a program for an etcd that is there', { etcd: 'http://a:1', etcdBinary: 'x' }, /^--etcd-binary is for/],
  ])('refuses %s', (_name, wrong, message) => {
    expect(() => parseServerConfig({ ...base, ...wrong })).toThrow(message);
  });
});
