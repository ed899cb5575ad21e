import { describe, expect, it } from '@jest/globals';
import {
  configPatternFault,
  DEFAULT_ALLOWED_CONFIG,
  forbiddenConfigKeys,
} from '../../../../src/plan/lifecycle/config-filter.ts';
import { instanceSpecOf } from '../../../../src/plan/lifecycle/instance-spec.ts';
import { planOrphan } from '../../../../src/plan/lifecycle/orphan.ts';
import { NODE, placed } from './facts.ts';

describe('instanceSpecOf', () => {
  const defaults = {
    defaultNetwork: 'incusbr0',
    imageFingerprint: 'f',
    allowedConfig: DEFAULT_ALLOWED_CONFIG,
  };

  it('maps everything that the spec can say', () => {
    const container = placed({
      resources: { cpu: '1500m', memory: '1Gi', disk: '10Gi' },
      rootPool: 'fast',
      networks: [{ name: 'net0', network: 'lan' }],
      config: { 'limits.processes': '100', 'raw.lxc': 'x' },
    });
    expect(instanceSpecOf(container, defaults)).toEqual({
      name: 'web--default',
      mark: { uid: 'uid-web', namespace: 'default', name: 'web', epoch: 2, generation: 1 },
      imageFingerprint: 'f',
      rootPool: 'fast',
      milliCpu: 1_500,
      memoryBytes: 2 ** 30,
      diskBytes: 10 * 2 ** 30,
      networks: [{ name: 'net0', network: 'lan' }],
      movesLive: true,
      config: { 'limits.processes': '100' },
    });
  });

  const volumes = [{ name: 'data', pool: 'shared', path: '/srv' }];
  it.each([
    ['wants it where it can', { migration: {} }, true],
    ['wants it', { migration: { policy: 'Live' as const } }, true],
    ['moves cold', { migration: { policy: 'Cold' as const } }, undefined],
    ['never moves', { migration: { policy: 'Never' as const } }, undefined],
    ['has volumes', { volumes }, undefined],
  ])('makes it for live moves or not: one that %s', (_what, spec, expected) => {
    expect(instanceSpecOf(placed(spec), defaults).movesLive).toBe(expected);
  });

  it.each([
    ['the default network', undefined, defaults, [{ name: 'eth0', network: 'incusbr0' }]],
    [
      'no interface where the host has no default',
      undefined,
      { imageFingerprint: 'f', allowedConfig: [] },
      [],
    ],
    ['no interface where none is wanted', [], defaults, []],
  ])('gives %s', (_what, networks, given, expected) => {
    const container = placed(networks === undefined ? {} : { networks });
    expect(instanceSpecOf(container, given).networks).toEqual(expected);
  });

  it('leaves limits out that nobody asked for', () => {
    const spec = instanceSpecOf(placed(), defaults);
    expect(Object.keys(spec)).not.toEqual(expect.arrayContaining(['milliCpu']));
    expect(spec).not.toHaveProperty('memoryBytes');
    expect(spec).not.toHaveProperty('diskBytes');
  });
});

describe('the keys of spec.config', () => {
  it.each(['environment.LANG', 'security.nesting', 'limits.processes', 'cloud-init.user-data', 'user.team'])(
    '%s is allowed',
    (key) => expect(forbiddenConfigKeys({ [key]: 'x' }, DEFAULT_ALLOWED_CONFIG)).toEqual([]),
  );

  it.each([
    'raw.lxc',
    'raw.apparmor',
    'security.privileged',
    'boot.autostart',
    'volatile.uuid',
    'user.hostler.uid',
    'limits.memory',
    'environment',
    'nvidia.runtime',
  ])('%s is not', (key) =>
    expect(forbiddenConfigKeys({ [key]: 'x' }, DEFAULT_ALLOWED_CONFIG)).toEqual([key]),
  );

  it.each(['user.hostler.uid', 'volatile.uuid', 'boot.autostart', 'boot.autorestart'])(
    '%s can never be allowed',
    (key) =>
      expect(forbiddenConfigKeys({ [key]: 'x' }, ['user.*', 'volatile.*', 'boot.*', key])).toEqual([key]),
  );

  it('can be allowed by the operator, and are listed in order', () => {
    const config = { 'raw.lxc': 'x', 'security.privileged': 'true', 'b.c': '1' };
    expect(forbiddenConfigKeys(config, ['raw.*'])).toEqual(['b.c', 'security.privileged']);
  });

  it.each([
    ['limits.processes', true],
    ['environment.*', true],
    ['cloud-init.user-data', true],
    ['*', false],
    ['environment*', false],
    ['', false],
    ['a b', false],
  ])('pattern %p is valid: %p', (pattern, isValid) => {
    expect(configPatternFault(pattern) === undefined).toBe(isValid);
  });
});

describe('planOrphan', () => {
  const mark = { uid: 'uid-web', epoch: 2 };
  it.each([
    ['removes it when the Container is gone', undefined, 2, { do: 'remove', reason: 'Deleted' }],
    [
      'removes it when another Container has the name',
      placed({}, { uid: 'uid-new' }),
      2,
      { do: 'remove', reason: 'Deleted' },
    ],
    [
      'removes it when it is placed elsewhere',
      placed({}, {}, { nodeName: 'host-2', epoch: 3 }),
      3,
      { do: 'remove', reason: 'Reassigned' },
    ],
    ['keeps it when it is ours', placed(), 2, { do: 'keep', reason: 'Assigned' }],
    [
      'keeps it while it is placed nowhere',
      placed({}, {}, { nodeName: '' }),
      2,
      { do: 'keep', reason: 'Unplaced' },
    ],
    [
      'keeps it when the read is older than what was seen',
      placed({}, {}, { nodeName: 'host-2', epoch: 2 }),
      3,
      { do: 'keep', reason: 'StaleEpoch' },
    ],
    [
      'keeps it when the read is older than its mark',
      placed({}, {}, { nodeName: 'host-2', epoch: 1 }),
      0,
      { do: 'keep', reason: 'StaleEpoch' },
    ],
  ])('%s', (_sentence, container, highestEpoch, expected) => {
    const cluster = { isTrusted: true } as const;
    expect(planOrphan({ mark, nodeName: NODE, highestEpoch, container, cluster })).toEqual(expected);
  });

  it.each([
    ['is gone', undefined],
    ['is placed elsewhere', placed({}, {}, { nodeName: 'host-2', epoch: 3 })],
  ])('keeps it when its Container %s, by a store that is not trusted', (_what, container) => {
    for (const reason of ['ForeignCluster', 'StoreWentBack'] as const) {
      const cluster = { isTrusted: false, reason, message: '' } as const;
      const decision = planOrphan({ mark, nodeName: NODE, highestEpoch: 2, container, cluster });
      expect(decision).toEqual({ do: 'keep', reason });
    }
  });
});
