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

  const members = 'a=https://10.0.0.1:2380,b=https://[::1]:2380, c=https://c.example:2380';

  it('takes an etcd that is one of several', () => {
    const flags = { ...base, etcdMembers: members, etcdName: 'b', etcdJoin: true };
    expect(parseServerConfig(flags).etcd).toEqual({
      kind: 'embedded',
      member: {
        name: 'b',
        members: [
          { name: 'a', url: 'https://10.0.0.1:2380' },
          { name: 'b', url: 'https://[::1]:2380' },
          { name: 'c', url: 'https://c.example:2380' },
        ],
        joins: true,
      },
    });
  });

  it.each([
    [
      'two members',
      { etcdMembers: 'a=https://a:1,b=https://b:1', etcdName: 'a' },
      /name 3, 5 or 7 of them, not 2/,
    ],
    [
      'one member twice',
      { etcdMembers: 'a=https://a:1,b=https://b:1,a=https://c:1', etcdName: 'a' },
      /same name/,
    ],
    [
      'one address twice',
      { etcdMembers: 'a=https://a:1,b=https://a:1,c=https://c:1', etcdName: 'a' },
      /same url/,
    ],
    [
      'members without TLS',
      { etcdMembers: 'a=http://a:1,b=https://b:1,c=https://c:1' },
      /"a=http:\/\/a:1" is no member/,
    ],
    ['a member without a port', { etcdMembers: 'a=https://a' }, /is no member/],
    ['members without a name of its own', { etcdMembers: members }, /--etcd-name: say which.*: a, b, c$/],
    ['a name that no member has', { etcdMembers: members, etcdName: 'd' }, /--etcd-name: say which/],
    ['a name without members', { etcdName: 'a' }, /are for --etcd-members/],
    [
      'members for an etcd that is there',
      { etcd: 'http://a:1', etcdMembers: members },
      /are for --etcd embedded/,
    ],
  ])('refuses %s', (_name, wrong, message) => {
    expect(() => parseServerConfig({ ...base, ...wrong })).toThrow(message);
  });

  it.each([
    ['a unix socket alone', { listen: 'unix:/run/api.sock' }, /the controllers use it/],
    ['certificates for an etcd of its own', { etcdCa: 'c' }, /makes its own/],
    ['a program for an etcd that is there', { etcd: 'http://a:1', etcdBinary: 'x' }, /^--etcd-binary is for/],
  ])('refuses %s', (_name, wrong, message) => {
    expect(() => parseServerConfig({ ...base, ...wrong })).toThrow(message);
  });
});
