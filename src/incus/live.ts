import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import { messageOf } from '../ports/errors.ts';
import type { LiveFact } from '../ports/host-transfer.ts';
import type { ServerView } from './host.ts';

/**
 * Whether containers can move off this host, and onto it, while they run: looked for, not hoped for, since a restore that fails
 * costs the container a minute. The daemon runs what it finds as `criu`, so that the daemon's own environment is what counts.
 */
export interface LiveCheck {
  /** CamelCase: the reason, where it is not met. */
  name: string;
  isMet: boolean;
  /** What was found; where it is not met: what is missing, and how to come by it. */
  message: string;
}

/** What of the machine a probe looks at; tests have their own. */
export interface Machine {
  /** @throws Error when there is no such file, or it may not be read */
  read(path: string): Promise<string>;
  isExecutable(path: string): Promise<boolean>;
  /** @throws Error when it ends with another status than 0, or takes longer than 15 s */
  run(program: string, args: readonly string[], path: string, signal: AbortSignal): Promise<string>;
}

const LEAST_CRIU = [4, 2] as const;
const SETUP = 'scripts/setup --live does it on Debian';
/** Neither the host nor the daemon's environment changes without a restart of the daemon, criu and its wrapper may. */
const VALID_MS = 300_000;

/** @returns the check that failed first as the reason why not */
export function liveFactOf(checks: readonly LiveCheck[]): LiveFact {
  const failed = checks.find(({ isMet }) => !isMet);
  if (failed !== undefined) return { possible: false, reason: failed.name, message: failed.message };
  return { possible: true, message: checks.find(({ name }) => name === 'CriuVersion')?.message ?? '' };
}

/** Remembers what was found for as long as it holds. */
export type LiveProbe = (view: ServerView, signal: AbortSignal) => Promise<LiveFact>;

export function createLiveProbe(
  { clock, isLocal }: { clock: Clock; isLocal: boolean },
  machine: Machine = thisMachine,
): LiveProbe {
  let known: { key: string; untilMs: number; fact: Promise<LiveFact> } | undefined;
  return (view, signal) => {
    const { server_pid: pid, kernel_features: features } = view.environment;
    const key = `${pid} ${features?.['idmapped_mounts']}`;
    if (known?.key === key && clock.monotonicMs() < known.untilMs) return known.fact;
    const fact = checkLive({ view, isLocal }, machine, signal).then(liveFactOf);
    const fresh = { key, untilMs: clock.monotonicMs() + VALID_MS, fact };
    known = fresh;
    fact.catch(() => {
      if (known === fresh) known = undefined;
    });
    return fact;
  };
}

/** All checks up to the first that makes the rest meaningless. @throws only when `signal` is aborted */
export async function checkLive(
  { view: { environment }, isLocal }: { view: ServerView; isLocal: boolean },
  machine: Machine,
  signal: AbortSignal,
): Promise<LiveCheck[]> {
  const checks: LiveCheck[] = [];
  const check = (name: string, isMet: boolean, message: string): boolean => {
    checks.push({ name, isMet, message });
    return isMet;
  };
  const { server, server_pid: pid, kernel_features: features } = environment;
  if (!check('Runtime', server === 'incus', server === 'incus' ? 'incus' : 'LXD moves no running containers'))
    return checks;
  if (
    !check(
      'DaemonHere',
      isLocal,
      isLocal ? 'by its unix socket' : 'the daemon is not on the host of the agent',
    )
  )
    return checks;
  const isIdmapped = features?.['idmapped_mounts'] === 'true';
  check(
    'IdmappedMounts',
    !isIdmapped,
    isIdmapped
      ? `the daemon uses idmapped mounts, which are not restored: start it with INCUS_IDMAPPED_MOUNTS_DISABLE=1 (${SETUP}); volumes then do not work on this host`
      : 'off',
  );
  checks.push(await checkGroup(machine));
  const path = await pathOfDaemon(machine, pid);
  if (path === undefined) {
    check(
      'DaemonEnvironment',
      false,
      `the environment of the daemon (pid ${pid}) cannot be read: the agent needs to be root`,
    );
    return checks;
  }
  return [...checks, ...(await checkCriu({ machine, path }, signal))];
}

async function checkCriu(
  { machine, path }: { machine: Machine; path: string },
  signal: AbortSignal,
): Promise<LiveCheck[]> {
  const criu = await findOnPath(machine, path);
  if (criu === undefined) {
    return [{ name: 'Criu', isMet: false, message: `there is no criu on the daemon's PATH (${SETUP})` }];
  }
  const found: LiveCheck = { name: 'Criu', isMet: true, message: criu };
  const run = async (...args: string[]): Promise<{ output: string; ok: boolean }> => {
    try {
      return { output: (await machine.run(criu, args, path, signal)).trim(), ok: true };
    } catch (error) {
      signal.throwIfAborted();
      return { output: messageOf(error).trim().split('\n').at(-1) ?? '', ok: false };
    }
  };
  const wrapper = await run('--hostler-wrapper');
  if (!wrapper.ok || !wrapper.output.startsWith('hostler-criu ')) {
    const message = `${criu} is not called through Hostler's wrapper, without which liblxc's way of calling it fails (${SETUP})`;
    return [found, { name: 'CriuWrapper', isMet: false, message }];
  }
  const version = await run('--version');
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(version.output) ?? [];
  const isNew =
    Number(major) > LEAST_CRIU[0] || (Number(major) === LEAST_CRIU[0] && Number(minor) >= LEAST_CRIU[1]);
  const said = version.output.replace(/^Version:\s*/, 'criu ');
  const checked = await run('check');
  return [
    found,
    { name: 'CriuWrapper', isMet: true, message: wrapper.output },
    {
      name: 'CriuVersion',
      isMet: version.ok && isNew,
      message: isNew ? said : `${said} is too old: ${LEAST_CRIU.join('.')} or newer is needed (${SETUP})`,
    },
    {
      name: 'CriuCheck',
      isMet: checked.ok,
      message: checked.ok
        ? 'the kernel has what criu needs'
        : `criu check fails on this kernel: ${checked.output}`,
    },
  ];
}

/**
 * liblxc puts criu into the control group of process 1 (less `init.scope`), which in a v2 hierarchy takes no process when it hands
 * controllers on, unless it is the root: so it is where the host is itself a container, or a namespace.
 */
async function checkGroup(machine: Machine): Promise<LiveCheck> {
  const name = 'ControlGroup';
  const groups = await machine.read('/proc/1/cgroup').catch(() => '');
  const unified = /^0::(.*)$/m.exec(groups)?.[1] ?? '/';
  const base = unified.replace(/\/init\.scope$/, '');
  if (base === '' || base === '/') return { name, isMet: true, message: 'the root' };
  for (const mount of ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']) {
    const handedOn = (await machine.read(join(mount, base, 'cgroup.subtree_control')).catch(() => '')).trim();
    if (handedOn === '') continue;
    const message = `criu cannot be put into the control group ${base}, since it hands on ${handedOn}: the host is itself a container, or a namespace`;
    return { name, isMet: false, message };
  }
  return { name, isMet: true, message: base };
}

async function pathOfDaemon(machine: Machine, pid: number): Promise<string | undefined> {
  try {
    const environment = (await machine.read(`/proc/${pid}/environ`)).split('\0');
    return environment.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? '';
  } catch {
    // No such process in our namespace, or not ours to read: nothing can be said of it.
    return undefined;
  }
}

async function findOnPath(machine: Machine, path: string): Promise<string | undefined> {
  for (const folder of path.split(':').filter((entry) => entry.startsWith('/'))) {
    const candidate = join(folder, 'criu');
    if (await machine.isExecutable(candidate)) return candidate;
  }
  return undefined;
}

const RUN_TIMEOUT_MS = 15_000;

export const thisMachine: Machine = {
  read: (path) => readFile(path, 'utf8'),
  isExecutable: (path) =>
    access(path, constants.X_OK).then(
      () => true,
      () => false,
    ),
  run: (program, args, path, signal) =>
    new Promise((resolve, reject) => {
      const options = { env: { PATH: path }, timeout: RUN_TIMEOUT_MS, signal };
      execFile(program, [...args], options, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${stdout}${stderr}`.trim() || error.message, { cause: error }));
      });
    }),
};
