import { describe, expect, it } from '@jest/globals';
import { parseGuardConfig } from '../../../src/config/guard.ts';

describe('parseGuardConfig', () => {
  it.each([
    ['unix:/var/lib/incus/unix.socket', undefined, '/var/lib/incus/containers'],
    ['unix:///var/lib/incus/unix.socket', undefined, '/var/lib/incus/containers'],
    ['unix:/run/incus.socket', '/srv/incus/containers/', '/srv/incus/containers'],
  ])('finds the containers of the daemon at %s', (incus, lxcPath, expected) => {
    const flags = { stateDir: '/state', incus, ...(lxcPath === undefined ? {} : { lxcPath }) };
    expect(parseGuardConfig(flags).lxcPath).toBe(expected);
  });

  it.each([
    ['a daemon elsewhere', { incus: 'https://10.0.0.7:8443' }, "on the daemon's own host only"],
    ['a relative folder', { incus: 'unix:/s', lxcPath: 'containers' }, 'must be absolute'],
  ])('refuses %s', (_what, wrong, message) => {
    expect(() => parseGuardConfig({ stateDir: '/state', ...wrong })).toThrow(message);
  });
});
