import { describe, expect, it } from '@jest/globals';
import {
  checkLocalOptions,
  checkStateDir,
  clusterId,
  hostAddresses,
  hostNames,
  localServers,
  type LocalOptions,
  MAX_HOSTS,
} from '../../../src/config/local.ts';

const valid: LocalOptions = {
  stateDir: '/var/lib/hostler',
  hosts: 3,
  runtime: 'incus',
  replicas: 1,
  port: 6443,
};

describe('options of a local cluster', () => {
  it('takes what is valid', () => {
    expect(checkLocalOptions(valid)).toBe(valid);
  });

  it.each<[string, Partial<LocalOptions>, RegExp]>([
    ['no hosts', { hosts: 0 }, /--hosts 0: must be a whole number from 1 to/],
    ['half a host', { hosts: 1.5 }, /--hosts/],
    ['more hosts than there are subnets', { hosts: MAX_HOSTS + 1 }, /--hosts/],
    ['a port that does not exist', { port: 70_000 }, /--port 70000/],
    ['live moves of LXD', { runtime: 'lxd', live: true }, /--live: LXD cannot/],
    ['another runtime', { runtime: 'docker' as 'incus' }, /--runtime docker: must be incus or lxd/],
    ['an even number of servers', { replicas: 2 }, /--replicas 2: must be 1 or 3 with 3 hosts/],
    ['more servers than hosts', { replicas: 5 }, /--replicas 5: must be 1 or 3 with 3 hosts/],
    ['a relative folder', { stateDir: 'state' }, /must be an absolute path/],
  ])('refuses %s', (_, change, message) => {
    expect(() => checkLocalOptions({ ...valid, ...change })).toThrow(message);
  });
});

describe('state folder', () => {
  it.each([
    ['the root folder', '/', /two levels/],
    ['a folder of the system', '/var', /two levels/],
    ['one with a space, which mount tables escape', '/srv/my cluster', /no spaces/],
    ['one that every host hides', '/run/hostler', /must not lie below/],
    ['one that is too long for a unix socket', `/srv/${'x'.repeat(64)}`, /at most 64 bytes/],
  ])('is never %s', (_, path, message) => {
    expect(() => checkStateDir(path)).toThrow(message);
  });

  it('is the same with a slash at its end', () => {
    expect(checkStateDir('/srv/cluster/')).toBe('/srv/cluster');
  });

  it('names the control groups, another one others', () => {
    expect(clusterId('/srv/a')).toMatch(/^hostler-[0-9a-f]{8}$/);
    expect(clusterId('/srv/a')).not.toBe(clusterId('/srv/b'));
  });
});

describe('servers', () => {
  it('is one, beside the hosts', () => {
    expect(localServers(valid).map(({ compartment, url }) => [compartment, url])).toEqual([
      ['control-plane', 'https://10.88.0.2:6443'],
    ]);
  });

  it('are on hosts, each with a folder, an address and a socket of its own', () => {
    const servers = localServers({ ...valid, replicas: 3 });
    expect(servers.map(({ compartment, url }) => [compartment, url])).toEqual([
      ['host-1', 'https://10.88.0.101:6443'],
      ['host-2', 'https://10.88.0.102:6443'],
      ['host-3', 'https://10.88.0.103:6443'],
    ]);
    for (const what of ['dataDir', 'apiSocket', 'kubeconfig'] as const) {
      expect(new Set(servers.map((server) => server[what])).size).toBe(3);
    }
  });

  it('on the last host have a socket whose path is short enough', () => {
    const stateDir = `/srv/${'x'.repeat(59)}`;
    expect(checkStateDir(stateDir)).toBe(stateDir);
    for (const { apiSocket } of localServers({ stateDir, replicas: 5 }))
      expect(apiSocket.length).toBeLessThan(107);
  });
});

describe('addresses', () => {
  it('are different for every host', () => {
    const all = hostNames(MAX_HOSTS).map((_, index) => hostAddresses(index + 1));
    const distinct = new Set(all.flatMap(({ address, bridge, subnet }) => [address, bridge, subnet]));
    expect(distinct.size).toBe(3 * MAX_HOSTS);
    expect(all[0]).toEqual({ address: '10.88.0.101', bridge: '10.88.1.1', subnet: '10.88.1.0/24' });
  });
});
