import { describe, expect, it } from '@jest/globals';
import type { ServerView } from '../../../src/incus/host.ts';
import { checkLive, createLiveProbe, liveFactOf, type Machine } from '../../../src/incus/live.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const never = new AbortController().signal;
const CRIU = '/opt/bin/criu';

const viewOf = (environment: Partial<ServerView['environment']> = {}): ServerView =>
  ({
    api_extensions: [],
    environment: {
      server: 'incus',
      server_pid: 7,
      kernel_features: { idmapped_mounts: 'false' },
      ...environment,
    },
  }) as unknown as ServerView;

/** A host that is capable of it, but for what `change` says. */
function machineOf(
  change: { files?: Record<string, string>; answers?: Record<string, string | Error> } = {},
) {
  const runs: string[] = [];
  const files: Record<string, string> = {
    '/proc/7/environ': 'HOME=/\0PATH=/usr/bin:/opt/bin\0',
    '/proc/1/cgroup': '12:memory:/\n0::/init.scope\n',
    ...change.files,
  };
  const answers: Record<string, string | Error> = {
    '--hostler-wrapper': 'hostler-criu 1\n',
    '--version': 'Version: 4.2.1\n',
    check: 'Looks good.\n',
    ...change.answers,
  };
  const machine: Machine = {
    read: async (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`no file ${path}`);
      return text;
    },
    isExecutable: async (path) => path === (files['criu'] ?? CRIU),
    run: async (program, args) => {
      runs.push([program, ...args].join(' '));
      const answer = answers[args.join(' ')];
      if (typeof answer !== 'string') throw answer ?? new Error('usage');
      return answer;
    },
  };
  return { machine, runs };
}

describe('whether live moves are possible', () => {
  it('says which criu there is when all is there', async () => {
    const { machine, runs } = machineOf();
    const fact = liveFactOf(await checkLive({ view: viewOf(), isLocal: true }, machine, never));
    expect(fact).toEqual({ possible: true, message: 'criu 4.2.1' });
    expect(runs).toEqual([`${CRIU} --hostler-wrapper`, `${CRIU} --version`, `${CRIU} check`]);
  });

  const group = '/hostler/host-1/init.scope';
  it.each([
    ['the daemon is LXD', { server: 'lxd' }, {}, 'Runtime', /LXD/],
    [
      'the daemon uses idmapped mounts',
      { kernel_features: { idmapped_mounts: 'true' } },
      {},
      'IdmappedMounts',
      /INCUS_IDMAPPED_MOUNTS_DISABLE=1/,
    ],
    [
      'the host is a namespace whose control group hands controllers on',
      {},
      {
        files: {
          '/proc/1/cgroup': `0::${group}`,
          '/sys/fs/cgroup/hostler/host-1/cgroup.subtree_control': 'cpu memory\n',
        },
      },
      'ControlGroup',
      /hands on cpu memory/,
    ],
    ['the environment of the daemon is not to be seen', { server_pid: 8 }, {}, 'DaemonEnvironment', /pid 8/],
    ['there is no criu where the daemon looks', {}, { files: { criu: '/sbin/criu' } }, 'Criu', /PATH/],
    [
      'criu is called directly',
      {},
      { answers: { '--hostler-wrapper': new Error('unknown option') } },
      'CriuWrapper',
      /wrapper/,
    ],
    [
      'criu is too old',
      {},
      { answers: { '--version': 'Version: 3.17.1' } },
      'CriuVersion',
      /3\.17\.1 is too old/,
    ],
    [
      'the kernel lacks something',
      {},
      { answers: { check: new Error('Warn\nError: no timens') } },
      'CriuCheck',
      /no timens/,
    ],
  ])('says why not: %s', async (_, environment, change, reason, message) => {
    const { machine } = machineOf(change);
    const view = viewOf(environment);
    const fact = liveFactOf(await checkLive({ view, isLocal: true }, machine, never));
    expect(fact).toEqual({ possible: false, reason, message: expect.stringMatching(message) });
  });

  it('says why not: the daemon is on another host', async () => {
    const { machine, runs } = machineOf();
    const fact = liveFactOf(await checkLive({ view: viewOf(), isLocal: false }, machine, never));
    expect(fact).toMatchObject({ possible: false, reason: 'DaemonHere' });
    expect(runs).toEqual([]);
  });

  it('lists all that is missing', async () => {
    const { machine } = machineOf({ files: { criu: '' } });
    const view = viewOf({ kernel_features: { idmapped_mounts: 'true' } });
    const checks = await checkLive({ view, isLocal: true }, machine, never);
    expect(checks.filter(({ isMet }) => !isMet).map(({ name }) => name)).toEqual(['IdmappedMounts', 'Criu']);
  });

  it('is found out once, and again after five minutes or when the daemon is another', async () => {
    const clock = createFakeClock();
    const { machine, runs } = machineOf();
    const probe = createLiveProbe({ clock, isLocal: true }, machine);
    await Promise.all([probe(viewOf(), never), probe(viewOf(), never)]);
    expect(runs).toHaveLength(3);
    expect(await probe(viewOf({ server_pid: 9 }), never)).toMatchObject({ reason: 'DaemonEnvironment' });
    expect(runs).toHaveLength(3);
    await probe(viewOf(), never);
    expect(runs).toHaveLength(6);
    await clock.advance(300_001);
    await probe(viewOf(), never);
    expect(runs).toHaveLength(9);
  });
});
