import { describe, expect, it } from '@jest/globals';
import {
  checkNodeName,
  parseApiServerConfig,
  parseCertificateConfig,
} from '../../../src/config/apiserver.ts';

describe('parseApiServerConfig', () => {
  it('compiles addresses and names', () => {
    expect(
      parseApiServerConfig({
        dataDir: '/d',
        listen: '127.0.0.1:6443, [::1]:0,unix:/run/api.sock',
        serverName: 'api.example.com,10.0.0.1',
        advertiseUrl: 'https://api.example.com:6443/',
      }),
    ).toEqual({
      dataDir: '/d',
      listen: [{ host: '127.0.0.1', port: 6443 }, { host: '::1', port: 0 }, { path: '/run/api.sock' }],
      serverNames: ['api.example.com', '10.0.0.1'],
      advertiseUrl: 'https://api.example.com:6443',
    });
  });

  it.each([
    [{ listen: '' }, '--listen: name at least one address'],
    [{ listen: '6443' }, '--listen: "6443" is no address'],
    [{ listen: '127.0.0.1:70000' }, 'is no address'],
    [{ listen: '::1:6443' }, 'is no address'],
    [{ listen: 'unix:run/api.sock' }, 'the path of a socket is absolute'],
    [{ listen: '127.0.0.1:1', serverName: 'a b' }, '--server-name: "a b"'],
    [{ listen: '127.0.0.1:1', advertiseUrl: 'http://a' }, '--advertise-url: "http://a"'],
  ])('%j is refused', (flags, message) => {
    expect(() => parseApiServerConfig({ dataDir: '/d', ...flags })).toThrow(message);
  });
});

describe('parseCertificateConfig', () => {
  it.each([
    [{ server: 'http://a' }, '--server: "http://a"'],
    [{ server: 'https://a, b' }, '--server: "b"'],
    [{ server: ',' }, '--server: name at least one'],
    [{ days: '0' }, '--days: "0"'],
    [{ days: '4000' }, '--days: "4000"'],
    [{ days: 'ten' }, '--days: "ten"'],
  ])('%j is refused', (flags, message) => {
    const good = { dataDir: '/d', server: 'https://a:6443', days: '30' };
    expect(parseCertificateConfig(good)).toEqual({
      dataDir: '/d',
      servers: ['https://a:6443'],
      validDays: 30,
    });
    expect(() => parseCertificateConfig({ ...good, ...flags })).toThrow(message);
  });
});

it.each(['', 'Host', '-a', 'a.b', 'x'.repeat(64)])('%j is no name for a node', (name) => {
  expect(() => checkNodeName(name)).toThrow('is no name for a node');
});
