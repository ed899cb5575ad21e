import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const run = promisify(execFile);

/** scripts/criu-wrapper, as scripts/setup --live lays it out, over a loader that only says how it was called. */
describe('the criu wrapper', () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'hostler-criu-'));
    await Promise.all(['bin', 'lib'].map((folder) => mkdir(join(home, folder))));
    await copyFile(new URL('../../../scripts/criu-wrapper', import.meta.url), join(home, 'criu-wrapper'));
    await symlink('../criu-wrapper', join(home, 'bin/criu'));
    const { stdout: machine } = await run('uname', ['-m']);
    await writeFile(join(home, 'lib', `loader.${machine.trim()}`), 'ld-fake\n');
    await writeFile(join(home, 'lib/ld-fake'), '#!/bin/sh\nprintf "%s\\n" "$@"\n');
    await chmod(join(home, 'lib/ld-fake'), 0o755);
  });
  afterAll(() => rm(home, { recursive: true }));

  const called = async (...args: string[]): Promise<string[]> => {
    const { stdout } = await run(join(home, 'bin/criu'), args);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.slice(0, 3)).toEqual(['--library-path', join(home, 'lib'), join(home, 'criu')]);
    return lines.slice(3);
  };

  it('says that it is the wrapper', async () => {
    expect((await run(join(home, 'bin/criu'), ['--hostler-wrapper'])).stdout).toMatch(/^hostler-criu \d+\n$/);
  });

  it.each([
    ['its version', ['--version']],
    ['a check', ['check', '--feature', 'mem_dirty_track']],
    ['arguments with spaces', ['check', 'a b', '']],
  ])('passes on %s as it is', async (_, args) => {
    expect((await called(...args)).join('\n')).toBe(args.join('\n').trimEnd());
  });

  it('locks the network by nftables', async () => {
    expect(await called('dump', '-t', '7', '--tcp-established')).toEqual([
      'dump',
      '-t',
      '7',
      '--tcp-established',
      '--network-lock',
      'nftables',
    ]);
  });

  it("names the option of liblxc's control group that has none", async () => {
    const args = [
      'dump',
      '--cgroup-root',
      'cpu:/a',
      '-v4',
      '/lxc.payload.web',
      '-v4',
      '--action-script',
      '/a.sh',
    ];
    expect((await called(...args)).slice(0, -2)).toEqual([
      ...args.slice(0, 4),
      '--cgroup-root',
      ...args.slice(4),
    ]);
  });

  it('makes the images readable for those who restore them', async () => {
    const images = join(home, 'images');
    await mkdir(images, { mode: 0o700 });
    await writeFile(join(images, 'pages.img'), '', { mode: 0o600 });
    await called('restore', '-D', images, '--tcp-established');
    expect((await stat(images)).mode & 0o777).toBe(0o755);
    expect((await stat(join(images, 'pages.img'))).mode & 0o777).toBe(0o644);
  });

  it('leaves the images of a dump as they are', async () => {
    const images = join(home, 'dumped');
    await mkdir(images, { mode: 0o700 });
    await called('dump', '-D', images);
    expect((await stat(images)).mode & 0o777).toBe(0o700);
  });

  it('drops an AppArmor profile only at a restore, and only where the kernel has no AppArmor', async () => {
    const { stdout } = await run('sh', [
      '-c',
      'cat /sys/module/apparmor/parameters/enabled 2>/dev/null || echo N',
    ]);
    const profile = ['--lsm-profile', 'apparmor:unconfined'];
    const kept = stdout.trim() === 'Y' ? profile : [];
    const rest = ['--tcp-established', '--network-lock', 'nftables'];
    expect(await called('restore', ...profile, '--tcp-established')).toEqual(['restore', ...kept, ...rest]);
    expect(await called('dump', ...profile, '--tcp-established')).toEqual(['dump', ...profile, ...rest]);
    const other = ['--lsm-profile', 'selinux:x'];
    expect(await called('restore', ...other, '--tcp-established')).toEqual(['restore', ...other, ...rest]);
  });
});
