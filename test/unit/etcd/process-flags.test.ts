import { describe, expect, it } from '@jest/globals';
import { clientEndpoint, etcdFlags } from '../../../src/etcd/process-flags.ts';
import { errorCode } from '../../../src/ports/errors.ts';

const tls = { certFile: '/pki/etcd.pem', keyFile: '/pki/etcd.key', trustedCaFile: '/pki/ca.pem' };

describe('the address of an embedded etcd', () => {
  it.each([
    ['http://127.0.0.1:2379', undefined, /^http:\/\/127\.0\.0\.1:2379$/],
    ['https://127.0.0.1:443/', tls, /^https:\/\/127\.0\.0\.1:443$/],
    ['http://127.0.0.1:0', undefined, /^http:\/\/127\.0\.0\.1:[1-9]\d+$/],
    ['https://localhost:0', tls, /^https:\/\/localhost:[1-9]\d+$/],
  ])('%s is taken', async (url, files, endpoint) => {
    expect(await clientEndpoint(url, files)).toMatch(endpoint);
  });

  it.each([
    ['that is not on loopback', 'http://0.0.0.0:2379', undefined],
    ['that is not on loopback either', 'http://127.0.0.1.example:2379', undefined],
    ['without TLS although there are certificates', 'http://127.0.0.1:2379', tls],
    ['with TLS but without certificates', 'https://127.0.0.1:2379', undefined],
    ['without a port', 'http://127.0.0.1', undefined],
    ['that is no URL', 'here', undefined],
  ])('one %s is refused', async (_name, url, files) => {
    await expect(clientEndpoint(url, files).catch((error: unknown) => errorCode(error))).resolves.toBe(
      'Invalid',
    );
  });
});

describe('the flags of an embedded etcd', () => {
  const options = { etcdDir: '/data/etcd', endpoint: 'https://127.0.0.1:2379' };

  it('bound its disk and its history, and hold nothing unsafe', () => {
    const flags = etcdFlags(options);
    expect(flags).toContain('--data-dir=/data/etcd');
    expect(flags).toContain('--quota-backend-bytes=4294967296');
    expect(flags).toContain('--auto-compaction-mode=periodic');
    expect(flags.filter((flag) => /unsafe|no-fsync|force-new/.test(flag))).toEqual([]);
  });

  it('have etcd listen on the address of localhost, but tell clients the name', () => {
    expect(etcdFlags({ ...options, endpoint: 'https://localhost:2379' })).toEqual(
      expect.arrayContaining([
        '--listen-client-urls=https://127.0.0.1:2379',
        '--advertise-client-urls=https://localhost:2379',
      ]),
    );
  });

  it('ask clients for certificates when it has some itself', () => {
    expect(etcdFlags({ ...options, tls })).toEqual(
      expect.arrayContaining(['--client-cert-auth=true', '--trusted-ca-file=/pki/ca.pem']),
    );
    expect(etcdFlags(options)).not.toContain('--client-cert-auth=true');
  });

  const members = [
    { name: 'a', url: 'https://10.0.0.1:2380' },
    { name: 'b', url: 'https://b.example:2380' },
    { name: 'c', url: 'https://10.0.0.3:2380' },
  ];

  it('of a member have the others prove who they are, and know all of them', () => {
    const flags = etcdFlags({ ...options, tls, member: { name: 'a', members, joins: false, tls } });
    expect(flags).toEqual(
      expect.arrayContaining([
        '--name=a',
        '--listen-peer-urls=https://10.0.0.1:2380',
        '--initial-advertise-peer-urls=https://10.0.0.1:2380',
        '--initial-cluster=a=https://10.0.0.1:2380,b=https://b.example:2380,c=https://10.0.0.3:2380',
        '--initial-cluster-state=new',
        '--peer-client-cert-auth=true',
        '--peer-trusted-ca-file=/pki/ca.pem',
        '--client-cert-auth=true',
      ]),
    );
    expect(new Set(flags.map((flag) => flag.split('=')[0])).size).toBe(flags.length);
  });

  it('of a member with a name listen on all addresses, and join where it is asked for', () => {
    const flags = etcdFlags({ ...options, tls, member: { name: 'b', members, joins: true, tls } });
    expect(flags).toEqual(
      expect.arrayContaining(['--listen-peer-urls=https://0.0.0.0:2380', '--initial-cluster-state=existing']),
    );
  });
});
