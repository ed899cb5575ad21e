import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { clusterId, IMAGES_DIR, localPaths, SHARED_DIR } from '../../config/local.ts';
import { createCgroups, removeCgroups, thawCgroups } from './cgroup.ts';
import {
  childrenOf,
  endProcess,
  identityOf,
  isRunning,
  outerIdentity,
  type ProcessIdentity,
  readIdentity,
  run,
  type RunOptions,
  type RunResult,
  signalProcess,
  waitForExit,
} from './process.ts';
import { StepError } from './progress.ts';

/**
 * A compartment is one pretended machine: mount, network, pid and host name namespaces of its own, held open by a sleeping
 * process that is process 1 of its pid namespace. Because of that, ending the holder ends everything that ever
 * ran inside (daemons, containers, whatever they started), with every mount, link and address; nothing of it is visible
 * in, or has to be cleaned from, the namespaces of the machine. What is needed to find a compartment again (the holder's pid and start
 * time) is on disk before the namespaces exist, written by the holder itself.
 */
export interface Compartment {
  readonly name: string;
  /** Its folder below `compartments/` in the state folder. */
  readonly directory: string;
  /** Process 1 of its pid namespace, as the machine sees it. */
  readonly initPid: number;
  /** Runs a command inside to its end. @throws Error with the end of its output when it fails */
  exec(argv: readonly string[], options?: ExecOptions): Promise<RunResult>;
  /** Starts a process inside that outlives this one. It is found again as `part(name)`. */
  spawn(part: string, argv: readonly string[], options: SpawnOptions): Promise<ProcessIdentity>;
  /** The running process that was spawned under this name, as the machine sees it. */
  part(name: string): ProcessIdentity | undefined;
}

export interface ExecOptions extends RunOptions {
  /** Default `/`. */
  cwd?: string;
}

export interface SpawnOptions {
  /** Standard output and error are appended to it. */
  logFile: string;
  /** Added to the environment of this process. */
  env?: Readonly<Record<string, string>>;
}

/** In the environment of everything that a cluster starts: `<state folder>:<compartment>`. */
export const MARK = 'HOSTLER_COMPARTMENT';

/** For a helper that writes into the state folder: should it outlive whoever started it, the cluster's end finds it. */
export function markedEnv(stateDir: string, name: string): NodeJS.ProcessEnv {
  return { ...process.env, [MARK]: `${stateDir}:${name}` };
}

const LAUNCH = `set -eu
cat "/proc/$$/stat" >"$1/holder.new"
mv "$1/holder.new" "$1/holder"
while read -r group; do echo 0 >"$group/cgroup.procs"; done <"$1/cgroups"
exec unshare --mount --net --pid --uts --fork --kill-child --propagation private sh "$1/inside.sh" "$@"`;

// Process 1 ignores SIGCHLD (no shell can arrange that), so that the kernel reaps what ends below it. The new sysfs shows the new network
// namespace; the cgroup and security file systems of the old one are carried over.
const INSIDE = `set -eu
directory=$1 name=$2 images=$3 images_seen=$4 shared=$5 shared_seen=$6
hostname "$name"
mount -t proc proc /proc
mkdir -p "$directory/sys"
mount --move /sys "$directory/sys"
mount -t sysfs sysfs /sys
mount --rbind "$directory/sys/fs/cgroup" /sys/fs/cgroup
if [ -d "$directory/sys/kernel/security" ]; then mount --rbind "$directory/sys/kernel/security" /sys/kernel/security; fi
umount -R -l "$directory/sys"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
if [ "$images" != "$images_seen" ]; then
  case $images in
    "\${images_seen%/*}"/*) mkdir -p "$images_seen" ;;
    *) mount -t tmpfs -o mode=755 tmpfs "\${images_seen%/*}" && mkdir "$images_seen" ;;
  esac
  mount --bind "$images" "$images_seen"
fi
mkdir -p "$shared_seen"
mount --bind "$shared" "$shared_seen"
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo ready
exec env --ignore-signal=CHLD sleep infinity >/dev/null 2>&1`;

const DETACH = `cat "/proc/$$/stat" >"$1.new"
mv "$1.new" "$1"
while read -r group; do echo 0 >"$group/cgroup.procs"; done <"$2"
shift 2
exec "$@"`;

/** The compartment, made now or found running. Safe to repeat after a crash at any point. */
export async function openCompartment(stateDir: string, name: string): Promise<Compartment> {
  const found = findCompartment(stateDir, name);
  if (found !== undefined) return found;
  await stopCompartment(stateDir, name);
  const directory = directoryOf(stateDir, name);
  const { images, shared, logs } = localPaths(stateDir);
  for (const folder of [directory, images, shared, logs, join(IMAGES_DIR, '..')])
    mkdirSync(folder, { recursive: true });
  // Root in a container is nobody outside: it must be able to pass through to its own root file system.
  for (const folder of [stateDir, shared, join(directory, '..'), directory]) {
    chmodSync(folder, statSync(folder).mode | 0o111);
  }
  writeFileSync(join(directory, 'cgroups'), `${createCgroups(clusterId(stateDir), name).join('\n')}\n`);
  const log = openSync(join(logs, `${name}.log`), 'a');
  writeFileSync(join(directory, 'inside.sh'), INSIDE);
  const folders = [images, IMAGES_DIR, shared, SHARED_DIR];
  const holder = spawn('sh', ['-c', LAUNCH, 'launch', directory, name, ...folders], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'pipe', log],
    env: markedEnv(stateDir, name),
  });
  closeSync(log);
  const stdout = holder.stdout as Readable;
  await Promise.race([once(stdout, 'data'), once(holder, 'exit'), delay(10_000, 0, { ref: false })]);
  stdout.destroy();
  holder.unref();
  const compartment = findCompartment(stateDir, name);
  if (compartment !== undefined) return compartment;
  const reason = readFileSync(join(logs, `${name}.log`), 'utf8')
    .trimEnd()
    .split('\n')
    .slice(-5)
    .join('\n');
  await stopCompartment(stateDir, name);
  throw new Error(`Cannot make the namespaces of ${name}:\n${reason}`);
}

/** @returns undefined when it does not run, whatever is on disk */
export function findCompartment(stateDir: string, name: string): Compartment | undefined {
  const directory = directoryOf(stateDir, name);
  const holder = readIdentity(join(directory, 'holder'));
  if (holder === undefined || !isRunning(holder)) return undefined;
  const [initPid] = childrenOf(holder.pid);
  if (initPid === undefined) return undefined;
  return {
    name,
    directory,
    initPid,
    exec: (argv, { cwd = '/', ...options } = {}) => run([...enterArguments(initPid, cwd), ...argv], options),
    spawn: (part, argv, options) => spawnPart({ directory, initPid }, part, argv, options),
    part: (part) => {
      const inner = readIdentity(join(directory, `${part}.pid`));
      return inner === undefined ? undefined : outerIdentity(initPid, inner);
    },
  };
}

/**
 * Ends all of its processes at once, and removes its control groups. Its folder stays. Idempotent.
 * @throws Error when something of it is still there after 20 s
 */
export async function stopCompartment(stateDir: string, name: string): Promise<void> {
  const directory = directoryOf(stateDir, name);
  const group = join(clusterId(stateDir), name);
  const holder = readIdentity(join(directory, 'holder'));
  if (holder !== undefined && isRunning(holder)) {
    const inits = childrenOf(holder.pid).map(identityOf);
    await endProcess(holder, 0);
    for (const init of inits) if (init !== undefined) await endInit(init, group);
  }
  // What is left of one whose holder was killed by somebody else.
  thawCgroups(group);
  await removeCgroups(group);
  rmSync(join(directory, 'holder'), { force: true });
}

/**
 * Process 1 is gone only when the kernel has ended everything else in its pid namespace, and what is frozen in a v1 group
 * ends only when it is thawed. That comes after the SIGKILL, so that nothing of it goes on meanwhile, as nothing does
 * without power; and more than once, since criu freezes what it reads until it has ended itself.
 */
async function endInit(init: ProcessIdentity, group: string): Promise<void> {
  const deadline = performance.now() + END_TIMEOUT_MS;
  signalProcess(init, 'SIGKILL');
  while (!(await waitForExit(init, THAW_MS))) {
    if (performance.now() > deadline) {
      throw new Error(`Process ${init.pid} is still there ${END_TIMEOUT_MS / 1_000} s after SIGKILL`);
    }
    thawCgroups(group);
  }
}

const END_TIMEOUT_MS = 20_000;
const THAW_MS = 100;

function directoryOf(stateDir: string, name: string): string {
  return join(localPaths(stateDir).compartments, name);
}

/** The command that runs what follows it inside the compartment. */
export function enterArguments(initPid: number, cwd: string): string[] {
  return ['nsenter', '-t', String(initPid), '-m', '-n', '-p', '-u', '-r', `--wdns=${cwd}`, '--'];
}

async function spawnPart(
  { directory, initPid }: { directory: string; initPid: number },
  part: string,
  argv: readonly string[],
  options: SpawnOptions,
): Promise<ProcessIdentity> {
  const pidFile = join(directory, `${part}.pid`);
  rmSync(pidFile, { force: true });
  const log = openSync(options.logFile, 'a');
  const [nsenter = '', ...rest] = enterArguments(initPid, '/');
  const child = spawn(
    nsenter,
    [...rest, 'setsid', '--fork', 'sh', '-c', DETACH, part, pidFile, join(directory, 'cgroups'), ...argv],
    { detached: true, stdio: ['ignore', log, log], env: { ...process.env, ...options.env } },
  );
  closeSync(log);
  await once(child, 'exit');
  const deadline = performance.now() + 5_000;
  for (;;) {
    const inner = readIdentity(pidFile);
    if (inner !== undefined) {
      const identity = outerIdentity(initPid, inner);
      if (identity !== undefined) return identity;
      throw new StepError(`${argv[0]} ended at once`, options.logFile, undefined);
    }
    if (performance.now() > deadline)
      throw new StepError(`${argv[0]} did not start`, options.logFile, undefined);
    await delay(5);
  }
}
