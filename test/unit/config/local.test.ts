import { describe, expect, it } from '@jest/globals';
import {
  checkLocalOptions,
  checkStateDir,
  clusterId,
  hostAddresses,
  hostNames,
  type LocalOptions,
  MAX_HOSTS,
} from '../../../src/config/local.ts';

const valid: LocalOptions = { stateDir: '/var/lib/hostler', hosts: 3, runtime: 'incus', port: 6443 };

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

describe('addresses', () => {
  it('are different for every host', () => {
    const all = hostNames(MAX_HOSTS).map((_, index) => hostAddresses(index + 1));
    const distinct = new Set(all.flatMap(({ address, bridge, subnet }) => [address, bridge, subnet]));
    expect(distinct.size).toBe(3 * MAX_HOSTS);
    expect(all[0]).toEqual({ address: '10.88.0.101', bridge: '10.88.1.1', subnet: '10.88.1.0/24' });
  });
});
