import { describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProcessFinder, roleOf } from '../../../src/guard/processes.ts';

const PATH = '/var/lib/incus/containers';

describe('what a command line says about a container', () => {
  it.each([
    ['a monitor', `[lxc monitor] ${PATH} web--default\0`, { is: 'monitor', instance: 'web--default' }],
    [
      'a start under way',
      `/usr/libexec/incus/incusd\0forkstart\0web--default\0${PATH}\0/run/incus/web--default/lxc.conf\0`,
      { is: 'forkstart', instance: 'web--default' },
    ],
    ["another daemon's monitor", '[lxc monitor] /var/lib/lxd/containers web--default\0', undefined],
    ["another daemon's start", `/usr/sbin/lxd\0forkstart\0web\0/var/lib/lxd/containers\0x\0`, undefined],
    ['a folder that only begins alike', `[lxc monitor] ${PATH}2 web--default\0`, undefined],
    ['the daemon', '/usr/libexec/incus/incusd\0--logfile\0x\0', undefined],
    ['a kernel thread', '', undefined],
  ])('%s', (_what, commandLine, role) => {
    expect(roleOf(commandLine, PATH)).toEqual(role);
  });
});

describe('the guard', () => {
  it('does not start where it may not look at the processes of others', () => {
    const proc = mkdtempSync(join(tmpdir(), 'hostler-proc-'));
    try {
      mkdirSync(join(proc, '1', 'ns'), { recursive: true });
      // Anything that is no link cannot be read as one: an error that does not say that the process has ended.
      writeFileSync(join(proc, '1', 'ns', 'pid'), '');
      expect(() => createProcessFinder(PATH, proc)).toThrow('may not look at the processes of others');
    } finally {
      rmSync(proc, { recursive: true });
    }
  });
});
