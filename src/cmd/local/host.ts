import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { hostAddresses, localPaths } from '../../config/local.ts';
import { type Compartment, type ExecOptions, openCompartment, stopCompartment } from './compartment.ts';
import { DAEMON, type Daemon, daemonOf, ensureBridge, ensureListening, startDaemon } from './daemon.ts';
import type { LocalNetwork } from './network.ts';
import { type ProcessIdentity, type RunResult, signalProcess, waitForExit } from './process.ts';

/** One pretended host on this machine: a compartment with a link, an Incus or LXD daemon and its bridge. */
export interface LocalHost {
  readonly name: string;
  readonly compartment: Compartment;
  /** On the link between the hosts. */
  readonly address: string;
  /** The daemon's unix socket; reachable from the machine's own namespaces too. */
  readonly socketPath: string;
  /** The daemon's environment: INCUS_DIR or LXD_DIR, …. `exec` sets it too. */
  readonly env: Readonly<Record<string, string>>;
  /** The daemon, as the machine sees it; undefined while it does not run. */
  readonly daemonPid: number | undefined;
  /** Runs a command inside the host to its end. @throws Error with the end of its output when it fails */
  exec(argv: readonly string[], options?: ExecOptions): Promise<RunResult>;
  /** Starts a process inside the host that outlives this one; found again as `compartment.part(name)`. */
  spawn(
    name: string,
    argv: readonly string[],
    options: { logFile: string; env?: Record<string, string> },
  ): Promise<ProcessIdentity>;
  /** Containers keep running. SIGKILL is waited for. @returns whether it ran */
  killDaemon(signal: NodeJS.Signals): Promise<boolean>;
  /** Starts the daemon unless it runs, and waits until it answers. */
  startDaemon(): Promise<void>;
  /** Cuts the host off from all others and the control plane, or connects it again. */
  setLink(up: boolean): Promise<void>;
  /** Ends every process of the host, containers included, like pulling its mains plug. What is on its disk stays. */
  stop(): Promise<void>;
}

export interface LocalHostOptions {
  name: string;
  /** Number in the cluster, 1 to 60: it gives the addresses. Default: the number at the end of `name`. */
  index?: number;
  stateDir: string;
  network: LocalNetwork;
  runtime: 'incus' | 'lxd';
  /** Whether containers can move while they run. @defaultValue false */
  live?: boolean;
}

const PROGRAMS = {
  incus: ['/usr/libexec/incus/incusd', '/usr/lib/incus/incusd', '/opt/incus/bin/incusd', '/usr/sbin/incusd'],
  lxd: ['/usr/bin/lxd', '/usr/sbin/lxd', '/snap/bin/lxd'],
} as const;

/** The host, started now or found running, with its daemon ready. Idempotent. */
export async function startHost(options: LocalHostOptions): Promise<LocalHost> {
  const { name, stateDir, network, runtime } = options;
  const index = options.index ?? Number(/\d+$/.exec(name)?.[0] ?? 1);
  const addresses = hostAddresses(index);
  const program = findDaemonProgram(runtime);
  const compartment = await openCompartment(stateDir, name);
  await network.attach(compartment, addresses);
  const logFile = join(localPaths(stateDir).logs, `${name}-${DAEMON}.log`);
  const daemon = daemonOf(runtime, compartment.directory, { program, live: options.live ?? false });
  await startDaemon(compartment, daemon, logFile);
  await ensureBridge(daemon.socketPath, addresses.bridge);
  await ensureListening(daemon.socketPath, addresses.address);
  return hostOf(options, compartment, { daemon, address: addresses.address, logFile });
}

/** @throws Error that says how to install it */
export function findDaemonProgram(runtime: 'incus' | 'lxd'): string {
  const found = PROGRAMS[runtime].find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(`The ${runtime} daemon is not installed (looked for ${PROGRAMS[runtime].join(', ')})`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not installed there.
    return false;
  }
}

function hostOf(
  { name, stateDir, network }: LocalHostOptions,
  compartment: Compartment,
  { daemon, address, logFile }: { daemon: Daemon; address: string; logFile: string },
): LocalHost {
  return {
    name,
    compartment,
    address,
    socketPath: daemon.socketPath,
    env: daemon.env,
    get daemonPid() {
      return compartment.part(DAEMON)?.pid;
    },
    exec: (argv, options = {}) =>
      compartment.exec(argv, { ...options, env: { ...process.env, ...daemon.env, ...options.env } }),
    spawn: (part, argv, options) =>
      compartment.spawn(part, argv, { ...options, env: { ...daemon.env, ...options.env } }),
    killDaemon: async (signal) => {
      const identity = compartment.part(DAEMON);
      if (identity === undefined || !signalProcess(identity, signal)) return false;
      if (signal === 'SIGKILL') await waitForExit(identity, 10_000);
      return true;
    },
    startDaemon: () => startDaemon(compartment, daemon, logFile),
    setLink: (up) => network.setLink(name, up),
    stop: () => stopCompartment(stateDir, name),
  };
}
