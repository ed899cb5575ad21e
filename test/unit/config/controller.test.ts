import { describe, expect, it } from '@jest/globals';
import { parseControllerConfig } from '../../../src/config/controller.ts';

const base = { kubeconfig: 'k', etcd: 'http://127.0.0.1:2379' };

describe('parseControllerConfig', () => {
  it('takes several endpoints and servers', () => {
    expect(
      parseControllerConfig({
        kubeconfig: 'k',
        server: 'https://a:6443, https://b:6443',
        etcd: 'https://10.0.0.1:2379,https://10.0.0.2:2379/',
        etcdCa: 'ca',
        etcdCert: 'cert',
        etcdKey: 'key',
        listen: ':0',
      }),
    ).toEqual({
      kubeConfig: 'k',
      servers: ['https://a:6443', 'https://b:6443'],
      etcd: {
        endpoints: ['https://10.0.0.1:2379', 'https://10.0.0.2:2379'],
        tls: { caFile: 'ca', certFile: 'cert', keyFile: 'key' },
      },
      listen: ':0',
    });
  });

  it.each([
    ['no endpoint', { etcd: ' ,' }, /^--etcd: name at least one endpoint/],
    ['something that is no URL', { etcd: '10.0.0.1:2379' }, /"10\.0\.0\.1:2379" is no endpoint/],
    ['a path', { etcd: 'http://a:2379/x' }, /is no endpoint/],
    ['http and https', { etcd: 'http://a:1,https://b:1' }, /all https or all http/],
    ['https without a CA', { etcd: 'https://a:1' }, /^--etcd-ca is missing/],
    ['a certificate without its key', { etcd: 'https://a:1', etcdCa: 'c', etcdCert: 'x' }, /given together/],
    ['TLS for http', { etcdCa: 'c' }, /are for https endpoints/],
    ['a server that is no URL', { server: 'a:6443' }, /^--server: "a:6443" is no URL/],
  ])('refuses %s', (_name, wrong, message) => {
    expect(() => parseControllerConfig({ ...base, ...wrong })).toThrow(message);
  });
});
