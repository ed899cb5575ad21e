import { describe, expect, it } from '@jest/globals';
import { configOf, isMadeForLive } from '../../../src/incus/settings.ts';
import type { InstanceSpec } from '../../../src/ports/host-driver.ts';

const SPEC: InstanceSpec = {
  name: 'web--default',
  mark: { uid: 'u', namespace: 'default', name: 'web', epoch: 1, generation: 1 },
  imageFingerprint: 'f',
  rootPool: 'default',
  networks: [],
  config: {},
};
const made = (spec: Partial<InstanceSpec>, live = true) =>
  configOf({ ...SPEC, ...spec }, { autorestart: true, live });

describe('what a live move needs', () => {
  it.each([
    ['wants it, on a host that can', { movesLive: true }, true, true],
    ['wants it, on a host that cannot', { movesLive: true }, false, false],
    ['does not want it', {}, true, false],
    [
      'is privileged, which then would see more of the host',
      { movesLive: true, config: { 'security.privileged': 'true' } },
      true,
      false,
    ],
  ])('is given to an instance or not: one that %s', (_what, spec, live, expected) => {
    expect(isMadeForLive(made(spec, live))).toBe(expected);
  });

  it('comes before what an operator allows people to add', () => {
    const { 'raw.lxc': lines = '' } = made({
      movesLive: true,
      config: { 'raw.lxc': 'lxc.environment = A=1' },
    });
    expect(lines.split('\n')).toEqual([
      'lxc.log.level = info',
      'lxc.console.path = none',
      'lxc.mount.auto =',
      'lxc.mount.auto = proc:rw sys:rw cgroup:mixed',
      'lxc.environment = A=1',
    ]);
  });
});
