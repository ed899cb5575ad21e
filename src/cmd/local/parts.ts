import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, copyFileSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  AGENT_LISTEN,
  BRIDGE_NAME,
  type LocalOptions,
  localPaths,
  type LocalServer,
  localServers,
} from '../../config/local.ts';
import { type Compartment, findCompartment, markedEnv } from './compartment.ts';
import { DAEMON } from './daemon.ts';
import { type LocalHost, startHost } from './host.ts';
import type { LocalNetwork } from './network.ts';
import { findByArguments, isRunning, type ProcessIdentity, readIdentity, run } from './process.ts';
import { type Outcome, StepError } from './progress.ts';

/** The parts of a local cluster. Each function makes sure that one of them runs, and says whether it had to do anything. */
export interface LocalCluster {
  options: LocalOptions;
  /** What starts this very program: node, its flags, and dist/hostler.mjs. */
  program: readonly string[];
}

export const AGENT = 'agent';
const READY_TIMEOUT_MS = 60_000;

export function logOf(stateDir: string, part: string): string {
  return join(localPaths(stateDir).logs, `${part}.log`);
}

export async function ensureHost(
  { options: { stateDir, runtime, live } }: LocalCluster,
  network: LocalNetwork,
  name: string,
): Promise<{ host: LocalHost; outcome: Outcome }> {
  const found = findCompartment(stateDir, name)?.part(DAEMON);
  const wasConnected = await network.isLinkUp(name);
  try {
    const host = await startHost({ name, stateDir, network, runtime, live: live ?? false });
    return { host, outcome: wasConnected && host.daemonPid === found?.pid ? 'unchanged' : 'done' };
  } catch (error) {
    throw new StepError(`Cannot start ${name}`, logOf(stateDir, `${name}-${DAEMON}`), error);
  }
}

/** The host's agent, with a client certificate of its own. */
export async function ensureAgent({ options, program }: LocalCluster, host: LocalHost): Promise<Outcome> {
  const { stateDir } = options;
  if (host.compartment.part(AGENT) !== undefined) return 'unchanged';
  const logFile = logOf(stateDir, `${host.name}-${AGENT}`);
  const kubeconfig = join(host.compartment.directory, 'agent.kubeconfig');
  const dataDir = agentDir(host.compartment.directory);
  try {
    if (!existsSync(kubeconfig)) {
      const servers = serversFor(options, host.name);
      const flags = {
        'data-dir': servers[0]?.dataDir ?? '',
        server: servers.map(({ url }) => url).join(','),
      };
      const argv = [...program, 'certificate', 'node', host.name, ...flagsOf(flags)];
      const { stdout } = await run(argv, { env: markedEnv(stateDir, 'certificate') });
      writeFileSync(kubeconfig, stdout, { mode: 0o600 });
    }
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const flags = {
      'node-name': host.name,
      kubeconfig,
      incus: `unix:${host.socketPath}`,
      'state-dir': dataDir,
      'default-network': BRIDGE_NAME,
      listen: AGENT_LISTEN,
    };
    await host.spawn(AGENT, [...program, 'agent', ...flagsOf(flags)], { logFile });
    return 'done';
  } catch (error) {
    throw new StepError(`Cannot start the agent of ${host.name}`, logFile, error);
  }
}

/** The guard that the host's agent has started: a process of its own, which outlives the agent. */
export function guardOf({ directory }: Compartment): ProcessIdentity | undefined {
  return findByArguments(['guard', '--state-dir', agentDir(directory)]);
}

const agentDir = (directory: string): string => join(directory, 'agent');

/** All servers, the host's own first if it has one; other hosts begin with different ones. */
function serversFor(options: LocalOptions, host: string): LocalServer[] {
  const servers = localServers(options);
  const first = (Number(/\d+$/.exec(host)?.[0] ?? 1) - 1) % servers.length;
  return [...servers.slice(first), ...servers.slice(0, first)];
}

/** The forwarder on the machine's loopback, and the kubeconfig for people that leads there. */
export async function ensureAccess({ options, program }: LocalCluster): Promise<Outcome> {
  const { stateDir, port } = options;
  const paths = localPaths(stateDir);
  const servers = localServers(options);
  copyFileSync(servers[0]?.kubeconfig ?? '', paths.kubeconfig);
  chmodSync(paths.kubeconfig, 0o600);
  if (forwarderOf(stateDir) !== undefined) return 'unchanged';
  await checkPortIsFree(port);
  const logFile = logOf(stateDir, 'forward');
  const log = openSync(logFile, 'a');
  const argv = [
    ...program,
    'forward',
    '--listen',
    `127.0.0.1:${port}`,
    '--to',
    servers.map(({ apiSocket }) => apiSocket).join(','),
  ];
  const script = 'cat "/proc/$$/stat" >"$0.new" && mv "$0.new" "$0" && exec "$@"';
  const child = spawn('sh', ['-c', script, paths.forwarder, ...argv], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
    env: markedEnv(stateDir, 'forward'),
  });
  closeSync(log);
  await once(child, 'spawn');
  child.unref();
  await waitForPort(port, logFile, () => child.exitCode !== null || child.signalCode !== null);
  return 'done';
}

export function flagsOf(flags: Readonly<Record<string, string>>): string[] {
  return Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
}

export function forwarderOf(stateDir: string): ProcessIdentity | undefined {
  const identity = readIdentity(localPaths(stateDir).forwarder);
  return identity !== undefined && isRunning(identity) ? identity : undefined;
}

/** @throws Error that says which option to change */
export async function checkPortIsFree(port: number): Promise<void> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new Error(`Port ${port} on 127.0.0.1 cannot be used; choose another one with --port`, {
      cause: error,
    });
  }
  server.close();
  await once(server, 'close');
}

async function waitForPort(port: number, logFile: string, hasEnded: () => boolean): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch (error) {
      if (hasEnded() || performance.now() > deadline) {
        throw new StepError(`Nothing answers on 127.0.0.1:${port}`, logFile, error);
      }
    } finally {
      socket.destroy();
    }
    await delay(20);
  }
}
