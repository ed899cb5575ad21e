import { describe, expect, it } from '@jest/globals';
import { type AgentFlags, parseAgentConfig } from '../../../src/config/agent.ts';

const flags: AgentFlags = {
  nodeName: 'host-1',
  kubeconfig: 'k',
  incus: 'unix:/run/incus.socket',
  stateDir: '/state',
  defaultNetwork: 'incusbr0',
  guard: 'start',
  peerListen: '0.0.0.0:9465',
  statusInterval: '20s',
  resync: '5m',
  parallelCreates: '8',
};

describe('parseAgentConfig', () => {
  it('compiles options to units', () => {
    expect(parseAgentConfig(flags)).toEqual({
      nodeName: 'host-1',
      kubeConfig: 'k',
      servers: [],
      daemon: { socketPath: '/run/incus.socket' },
      stateDir: '/state',
      labels: {},
      defaultNetwork: 'incusbr0',
      remotes: { images: { url: 'https://images.linuxcontainers.org', protocol: 'simplestreams' } },
      guard: 'start',
      peerListen: { host: '0.0.0.0', port: 9465 },
      statusMs: 20_000,
      resyncMs: 300_000,
      parallelCreates: 8,
    });
  });

  it.each([
    ['unix:///run/incus.socket', { socketPath: '/run/incus.socket' }],
    ['https://10.0.0.7:8443', { url: 'https://10.0.0.7:8443', caFile: 'a', certFile: 'c', keyFile: 'k' }],
  ])('reads the daemon %s', (incus, daemon) => {
    const certificates = incus.startsWith('https') ? { incusCa: 'a', incusCert: 'c', incusKey: 'k' } : {};
    expect(parseAgentConfig({ ...flags, incus, ...certificates }).daemon).toEqual(daemon);
  });

  it('reads labels, patterns, image servers, API servers, and the lack of a network', () => {
    const config = parseAgentConfig({
      ...flags,
      label: ['disk=ssd', 'example.com/zone=a', 'empty='],
      allowConfig: ['default', 'raw.lxc,raw.idmap'],
      remote: ['images=https://images.example.com', 'own=incus:https://10.0.0.9:8443'],
      server: 'https://10.0.0.1:6443, https://10.0.0.2:6443',
      defaultNetwork: 'none',
    });
    expect(config).toMatchObject({
      labels: { disk: 'ssd', 'example.com/zone': 'a', empty: '' },
      allowedConfig: ['default', 'raw.lxc', 'raw.idmap'],
      remotes: {
        images: { url: 'https://images.example.com', protocol: 'simplestreams' },
        own: { url: 'https://10.0.0.9:8443', protocol: 'incus' },
      },
      servers: ['https://10.0.0.1:6443', 'https://10.0.0.2:6443'],
    });
    expect(config).not.toHaveProperty('defaultNetwork');
  });

  it.each<[string, Partial<AgentFlags>, string]>([
    ['a node name', { nodeName: 'Host_1' }, '--node-name "Host_1"'],
    ['a daemon without a scheme', { incus: '/run/incus.socket' }, '--incus /run/incus.socket'],
    ['a relative socket', { incus: 'unix:run' }, '--incus unix:run'],
    ['https without certificates', { incus: 'https://a:1' }, '--incus-ca'],
    ['certificates for a socket', { incusCa: 'a' }, 'a socket needs none'],
    ['a label without a value', { label: ['disk'] }, '--label disk'],
    ['a label key', { label: ['-x=1'] }, '--label -x=1'],
    ['an image server', { remote: ['images'] }, '--remote images'],
    ['an API server', { server: '10.0.0.1' }, '--server'],
    ['a duration', { statusInterval: '1' }, '--status-interval 1'],
    ['too short a duration', { statusInterval: '1ms' }, 'at least 1000ms'],
    ['a way to have a guard', { guard: 'yes' }, '--guard yes'],
    ['a port for peers', { peerListen: '9465' }, '--peer-listen 9465'],
    ['a count', { parallelCreates: '0' }, '--parallel-creates 0'],
    ['a count that is none', { parallelCreates: 'many' }, '--parallel-creates many'],
  ])('refuses %s, and names it', (_what, wrong, message) => {
    expect(() => parseAgentConfig({ ...flags, ...wrong })).toThrow(message);
  });
});
