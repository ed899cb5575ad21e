import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  configOf,
  cpuLimit,
  devicesOf,
  markOf,
  waitsForRestart,
  withDaemonsOwn,
} from '../../../src/incus/settings.ts';
import type { InstanceSpec } from '../../../src/ports/host-driver.ts';

const spec: InstanceSpec = {
  name: 'web--default',
  mark: { uid: 'u1', namespace: 'default', name: 'web', epoch: 3, generation: 4 },
  imageFingerprint: 'f'.repeat(64),
  rootPool: 'fast',
  networks: [{ name: 'eth0', network: 'lan' }],
  config: {},
};

describe('cpuLimit', () => {
  it.each([
    ['whole cores need no allowance', 2000, { 'limits.cpu': '2' }],
    ['half a core', 500, { 'limits.cpu': '1', 'limits.cpu.allowance': '50ms/100ms' }],
    ['one and a half cores run on two', 1500, { 'limits.cpu': '2', 'limits.cpu.allowance': '150ms/100ms' }],
    ['125m needs a longer period', 125, { 'limits.cpu': '1', 'limits.cpu.allowance': '25ms/200ms' }],
    ['one thousandth', 1, { 'limits.cpu': '1', 'limits.cpu.allowance': '1ms/1000ms' }],
    ['a container of no core still gets some', 0, { 'limits.cpu': '1', 'limits.cpu.allowance': '1ms/100ms' }],
  ])('%s', (_case, milliCpu, expected) => {
    expect(cpuLimit(milliCpu)).toEqual(expected);
  });

  it('gives exactly the share that was asked for, on enough cores, in periods that the kernel takes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 256_000 }), (milliCpu) => {
        const limit = cpuLimit(milliCpu);
        const cores = Number(limit['limits.cpu']);
        const [, quota, period] = /^(\d+)ms\/(\d+)ms$/.exec(
          limit['limits.cpu.allowance'] ?? `${cores * 100}ms/100ms`,
        ) ?? ['', '0', '1'];
        expect(Number(quota) * 1000).toBe(milliCpu * Number(period));
        expect(Number(period)).toBeLessThanOrEqual(1000);
        expect(cores).toBe(Math.ceil(milliCpu / 1000));
      }),
    );
  });
});

describe('configOf', () => {
  it('keeps the daemon from starting anything by itself, and marks what is ours', () => {
    const config = configOf(
      { ...spec, memoryBytes: 1024, config: { 'user.x': '1' } },
      { autorestart: true, live: true },
    );
    expect(config).toMatchObject({
      'boot.autostart': 'false',
      'boot.autorestart': 'false',
      'limits.memory': '1024',
      'user.x': '1',
    });
    expect(markOf(config)).toEqual(spec.mark);
  });

  it('does not send a key that an older daemon refuses', () => {
    expect(configOf(spec, { autorestart: false, live: true })).not.toHaveProperty(['boot.autorestart']);
  });

  it.each(['boot.autostart', 'boot.autorestart', 'user.hostler.uid', 'volatile.eth0.hwaddr', 'image.os'])(
    'refuses %s, which is not the user to set',
    (key) => {
      const bad = { ...spec, config: { [key]: 'true' } };
      expect(() => configOf(bad, { autorestart: true, live: true })).toThrow(
        expect.objectContaining({ code: 'Invalid' }),
      );
    },
  );

  it('refuses a limit that the resources set already', () => {
    const bad = { ...spec, milliCpu: 500, config: { 'limits.cpu': '4' } };
    expect(() => configOf(bad, { autorestart: true, live: true })).toThrow('limits.cpu');
  });
});

describe('devicesOf', () => {
  it('has a root with its quota, and one nic per network', () => {
    expect(devicesOf({ ...spec, diskBytes: 5 })).toEqual({
      root: { type: 'disk', path: '/', pool: 'fast', size: '5' },
      eth0: { type: 'nic', name: 'eth0', network: 'lan' },
    });
  });

  it('shows a folder for each volume, with the owners that the container knows', () => {
    const volume = { name: 'data', source: '/mnt/a', path: '/srv', readOnly: false };
    const log = { ...volume, name: 'log', readOnly: true };
    expect(devicesOf({ ...spec, networks: [], volumes: [volume, log] })).toMatchObject({
      data: { type: 'disk', source: '/mnt/a', path: '/srv', shift: 'true' },
      log: { type: 'disk', source: '/mnt/a', path: '/srv', shift: 'true', readonly: 'true' },
    });
    const taken = { ...volume, name: 'eth0' };
    expect(() => devicesOf({ ...spec, volumes: [taken] })).toThrow('eth0');
  });

  it('refuses two devices of one name', () => {
    expect(() => devicesOf({ ...spec, networks: [{ name: 'root', network: 'lan' }] })).toThrow('root');
  });
});

describe('markOf', () => {
  it.each([
    ['nothing at all', {}],
    ['a uid that is not said to be ours', { 'user.hostler.uid': 'u1' }],
    ['no uid', { 'user.hostler.managed': 'true' }],
  ])('sees no mark in %s', (_case, config) => {
    expect(markOf(config)).toBeUndefined();
  });
});

describe('an update', () => {
  it('keeps what the daemon has noted and drops what is no longer wanted', () => {
    const current = { 'volatile.uuid': 'x', 'image.os': 'busybox', 'security.nesting': 'true' };
    expect(withDaemonsOwn({ 'limits.cpu': '1' }, current)).toEqual({
      'volatile.uuid': 'x',
      'image.os': 'busybox',
      'limits.cpu': '1',
    });
  });

  it.each([
    ['limits.cpu', false],
    ['limits.cpu.allowance', false],
    ['limits.memory', false],
    ['limits.memory.swap', false],
    ['limits.processes', false],
    ['user.anything', false],
    ['limits.kernel.nofile', true],
    ['security.nesting', true],
    ['security.privileged', true],
    ['raw.lxc', true],
    ['environment.PATH', true],
    ['linux.sysctl.net.core.somaxconn', true],
    ['cloud-init.user-data', true],
  ])('of %s waits for a restart: %s', (key, waits) => {
    expect(waitsForRestart(key)).toBe(waits);
  });
});
