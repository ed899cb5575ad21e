import type { ServerView } from '../../incus/host.ts';
import type { LiveCheck, Machine } from '../../incus/live.ts';

/** What `hostler doctor` looks at on a host. Each finding stands for itself; nothing is changed. */
export interface Finding {
  /** Of what it is a part: the host, live moves. */
  part: 'host' | 'moves' | 'live';
  name: string;
  /** `missing`: this host does not work without; `note`: something is not possible; `ok`. */
  level: 'ok' | 'note' | 'missing';
  /** What was found, or what is wrong and what to do about it. */
  message: string;
}

type Check = [name: string, isMet: boolean, found: string, advice: string];

/** The daemon, by its answer to `GET /1.0`. */
export function daemonFindings(
  { environment }: ServerView,
  pools: readonly { name: string; driver: string }[],
): Finding[] {
  const { server, server_version: version, addresses } = environment;
  const listening = (addresses ?? []).join(', ');
  const major = Number(version.split('.')[0]);
  const least = server === 'incus' ? 6 : 5;
  return [
    ...findings('host', 'missing', [
      [
        'daemon',
        major >= least,
        `${server} ${version}`,
        `${server} ${version} is too old: ${least}.0 or newer`,
      ],
      [
        'storage',
        pools.length > 0,
        pools.map(({ name, driver }) => `${name} (${driver})`).join(', '),
        'no pool yet: a StoragePool of the cluster makes one on its nodes',
      ],
    ]).map((finding) =>
      finding.name === 'storage' && finding.level === 'missing' ? noted(finding) : finding,
    ),
    ...findings('moves', 'note', [
      [
        'listening',
        listening !== '',
        listening,
        "the daemon listens for no other host, so no container can be moved off it: 'incus config set core.https_address :8443'",
      ],
    ]),
  ];
}

/** What the machine has for unprivileged containers with limits. */
export async function machineFindings({ read }: Pick<Machine, 'read'>): Promise<Finding[]> {
  const file = (path: string): Promise<string> => read(path).catch(() => '');
  const [subuid, subgid, v2, v1] = await Promise.all([
    file('/etc/subuid'),
    file('/etc/subgid'),
    file('/sys/fs/cgroup/cgroup.controllers'),
    file('/proc/cgroups'),
  ]);
  const ranges = [subuid, subgid].map((text) => /^(?:root|0):\d+:(\d+)$/m.exec(text)?.[1]);
  const smallest = Math.min(...ranges.map((size) => Number(size ?? 0)));
  const most = Math.max(...[subuid, subgid].map((text) => text.match(/^(?:root|0):\d+:\d+$/gm)?.length ?? 0));
  const v1Enabled = v1
    .split('\n')
    .filter((line) => line.endsWith('\t1'))
    .map((line) => line.split('\t')[0]);
  const controllers = new Set(v2 === '' ? v1Enabled : v2.trim().split(/\s+/));
  const lacking = ['cpu', 'memory', 'pids'].filter((name) => !controllers.has(name));
  const needed = findings('host', 'missing', [
    [
      'user ids',
      smallest >= 65_536,
      `${smallest} for root in /etc/subuid and /etc/subgid`,
      "root has no range of 65536 ids in /etc/subuid and /etc/subgid: add 'root:1000000:1000000000' to both, and restart the daemon",
    ],
    [
      'control groups',
      lacking.length === 0,
      v2 === '' ? 'v1 or hybrid' : 'v2',
      `no controller ${lacking.join(', ')}: limits will not hold; see cgroup_disable on the kernel's command line`,
    ],
  ]);
  const several = `root has ${most} ranges in /etc/subuid or /etc/subgid: Incus maps each of them from 0, and then starts no container; leave one, and restart the daemon`;
  return [
    ...needed,
    ...findings('host', 'note', most > 1 ? [['one range of user ids', false, '', several]] : []),
  ];
}

/** The parts of Hostler beside the daemon. @param kubectl what `kubectl version --client -o json` said; undefined: there is none */
export function hostlerFindings({
  kubectl,
  guard,
  watchdog,
}: {
  kubectl: string | undefined;
  guard: 'answers' | 'silent' | 'unknown';
  watchdog: boolean;
}): Finding[] {
  const version = /"gitVersion":\s*"v(\d+)\.(\d+)[^"]*"/.exec(kubectl ?? '');
  const isNew = Number(version?.[1] ?? 0) > 1 || Number(version?.[2] ?? 0) >= 30;
  const guardMessage = {
    answers: 'answers',
    silent:
      'does not answer: what may be recovered elsewhere is not fenced by time here; is the agent running?',
    unknown: 'not looked at: give --state-dir of the agent',
  }[guard];
  return findings('host', 'note', [
    ['guard', guard === 'answers', guardMessage, guardMessage],
    [
      'watchdog',
      watchdog,
      '/dev/watchdog',
      'no /dev/watchdog: a guard that hangs is not noticed by the kernel (--watchdog)',
    ],
    [
      'kubectl',
      isNew,
      version === null ? '' : `${version[1]}.${version[2]}`,
      version === null
        ? 'not on the PATH; a host does not need it, people do'
        : `${version[1]}.${version[2]} is older than 1.30`,
    ],
  ]);
}

export function liveFindings(checks: readonly LiveCheck[]): Finding[] {
  return checks.map(({ name, isMet, message }) => ({
    part: 'live',
    name,
    level: isMet ? 'ok' : 'note',
    message,
  }));
}

const TITLES = { host: 'This host', moves: 'Moving containers', live: 'Moving them while they run' } as const;
const SIGNS = { ok: 'ok', note: '--', missing: 'NO' } as const;

/** One line each; what is missing is in capitals. */
export function formatFindings(all: readonly Finding[]): string {
  const width = Math.max(...all.map(({ name }) => name.length));
  return (['host', 'moves', 'live'] as const)
    .map((part) => all.filter((finding) => finding.part === part))
    .filter((found) => found.length > 0)
    .map((found) => {
      const lines = found.map(
        ({ level, name, message }) => `  ${SIGNS[level]}  ${name.padEnd(width)}  ${message}`,
      );
      return `${TITLES[found[0]?.part ?? 'host']}:\n${lines.join('\n')}\n`;
    })
    .join('\n');
}

function findings(part: Finding['part'], otherwise: 'note' | 'missing', checks: readonly Check[]): Finding[] {
  return checks.map(([name, isMet, found, advice]) => ({
    part,
    name,
    level: isMet ? 'ok' : otherwise,
    message: isMet ? found : advice,
  }));
}

function noted(finding: Finding): Finding {
  return { ...finding, level: 'note' };
}
