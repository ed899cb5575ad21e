import { describe, expect, it } from '@jest/globals';
import {
  daemonFindings,
  formatFindings,
  hostlerFindings,
  liveFindings,
  machineFindings,
} from '../../../src/cmd/doctor/checks.ts';
import type { ServerView } from '../../../src/incus/host.ts';

const viewOf = (environment: object): ServerView =>
  ({
    api_extensions: [],
    environment: { server: 'incus', server_version: '6.0.4', addresses: ['10.0.0.7:8443'], ...environment },
  }) as unknown as ServerView;
const POOLS = [{ name: 'default', driver: 'dir' }];

/** A healthy machine, but for `changed`. */
function reading(changed: Record<string, string> = {}) {
  const files: Record<string, string> = {
    '/etc/subuid': 'someone:1:5\nroot:1000000:1000000000\n',
    '/etc/subgid': 'root:1000000:1000000000\n',
    '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
    ...changed,
  };
  return {
    read: async (path: string) => {
      const text = files[path];
      if (text === undefined) throw new Error(`no file ${path}`);
      return text;
    },
  };
}

describe('hostler doctor', () => {
  it('finds nothing wrong where all is well', async () => {
    const found = [
      ...daemonFindings(viewOf({}), POOLS),
      ...(await machineFindings(reading())),
      ...hostlerFindings({ kubectl: '{"gitVersion": "v1.32.3"}', guard: 'answers', watchdog: true }),
    ];
    expect(found.map(({ level }) => level)).toEqual(found.map(() => 'ok'));
  });

  it.each([
    ['a daemon that is too old', { server_version: '0.6' }, 'daemon', 'missing', /6\.0 or newer/],
    [
      'an LXD that is too old',
      { server: 'lxd', server_version: '4.0.9' },
      'daemon',
      'missing',
      /5\.0 or newer/,
    ],
    ['a daemon that does not listen', { addresses: null }, 'listening', 'note', /core\.https_address/],
  ])('says what to do about %s', (_, environment, name, level, message) => {
    const found = daemonFindings(viewOf(environment), POOLS).find((finding) => finding.name === name);
    expect(found).toMatchObject({ level, message: expect.stringMatching(message) });
  });

  it('does not take a host without a pool for broken', () => {
    expect(daemonFindings(viewOf({}), [])).toContainEqual(
      expect.objectContaining({
        name: 'storage',
        level: 'note',
        message: expect.stringMatching(/StoragePool/),
      }),
    );
  });

  const V1 = '#subsys_name\thierarchy\tnum\tenabled\ncpu\t1\t9\t1\nmemory\t2\t9\t0\npids\t3\t9\t1\n';
  it.each([
    ['no ids for root', { '/etc/subgid': 'someone:1:65536\n' }, 'user ids', /root:1000000/],
    ['too few of them', { '/etc/subuid': 'root:1000000:1000\n' }, 'user ids', /65536/],
    [
      'no control groups at all',
      { '/sys/fs/cgroup/cgroup.controllers': '' },
      'control groups',
      /cpu, memory, pids/,
    ],
    [
      'a controller that is switched off',
      { '/sys/fs/cgroup/cgroup.controllers': '', '/proc/cgroups': V1 },
      'control groups',
      /no controller memory:/,
    ],
  ])('says what to do about %s', async (_, files, name, message) => {
    const found = (await machineFindings(reading(files))).find((finding) => finding.name === name);
    expect(found).toMatchObject({ level: 'missing', message: expect.stringMatching(message) });
  });

  it('notes that root has more ranges of ids than one', async () => {
    const two = 'root:1000000:1000000000\nroot:1001000000:10000001\n';
    const found = await machineFindings(reading({ '/etc/subgid': two }));
    expect(found.filter(({ level }) => level !== 'ok')).toMatchObject([
      { name: 'one range of user ids', level: 'note', message: expect.stringMatching(/root has 2 ranges/) },
    ]);
  });

  it.each([
    ['there is no kubectl', { kubectl: undefined }, 'kubectl', /not on the PATH/],
    ['kubectl is old', { kubectl: '{"gitVersion": "v1.20.2"}' }, 'kubectl', /1\.20 is older/],
    ['the guard is silent', { guard: 'silent' as const }, 'guard', /not fenced by time/],
    ['nobody said where the guard is', { guard: 'unknown' as const }, 'guard', /--state-dir/],
    ['there is no watchdog', { watchdog: false }, 'watchdog', /--watchdog/],
  ])('notes that %s', (_, changed, name, message) => {
    const well = { kubectl: '{"gitVersion": "v1.32.3"}', guard: 'answers' as const, watchdog: true };
    const found = hostlerFindings({ ...well, ...changed }).find((finding) => finding.name === name);
    expect(found).toMatchObject({ level: 'note', message: expect.stringMatching(message) });
  });

  it('prints a line each, under what it is about', () => {
    const live = liveFindings([{ name: 'Criu', isMet: false, message: 'there is no criu' }]);
    expect(
      formatFindings([...daemonFindings(viewOf({ server_version: '0.6', addresses: [] }), POOLS), ...live]),
    ).toBe(
      `This host:
  NO  daemon     incus 0.6 is too old: 6.0 or newer
  ok  storage    default (dir)

Moving containers:
  --  listening  the daemon listens for no other host, so no container can be moved off it: 'incus config set core.https_address :8443'

Moving them while they run:
  --  Criu       there is no criu
`,
    );
  });
});
