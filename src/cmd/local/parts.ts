import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, copyFileSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  AGENT_LISTEN,
  API_PORT,
  BRIDGE_NAME,
  CONTROL_PLANE_ADDRESS,
  type LocalOptions,
  localPaths,
} from '../../config/local.ts';
import { localApi } from './api.ts';
import { findCompartment, MARK, openCompartment } from './compartment.ts';
import { DAEMON } from './daemon.ts';
import { type LocalHost, startHost } from './host.ts';
import type { LocalNetwork } from './network.ts';
import { isRunning, type ProcessIdentity, readIdentity, run } from './process.ts';
import { type Outcome, StepError } from './progress.ts';

/** The parts of a local cluster. Each function makes sure that one of them runs, and says whether it had to do anything. */
export interface LocalCluster {
  options: LocalOptions;
  /** What starts this very program: node, its flags, and dist/hostler.mjs. */
  program: readonly string[];
}

export const CONTROL_PLANE = 'control-plane';
export const SERVER = 'server';
export const AGENT = 'agent';
const READY_TIMEOUT_MS = 60_000;

export function logOf(stateDir: string, part: string): string {
  return join(localPaths(stateDir).logs, `${part}.log`);
}

/** etcd, API server and controllers, in a compartment of their own; waits until the API server is ready. */
export async function ensureControlPlane(
  { options: { stateDir, port }, program }: LocalCluster,
  network: LocalNetwork,
): Promise<Outcome> {
  const paths = localPaths(stateDir);
  const logFile = logOf(stateDir, SERVER);
  const compartment = await openCompartment(stateDir, CONTROL_PLANE);
  await network.attach(compartment, { address: CONTROL_PLANE_ADDRESS });
  mkdirSync(paths.data, { recursive: true, mode: 0o700 });
  const found = compartment.part(SERVER);
  const flags = {
    'data-dir': paths.data,
    listen: `${CONTROL_PLANE_ADDRESS}:${API_PORT},unix:${paths.apiSocket}`,
    'server-name': '127.0.0.1,localhost',
    'advertise-url': `https://127.0.0.1:${port}`,
    etcd: 'embedded',
  };
  const argv = [...program, 'server', ...flagsOf(flags)];
  const server = found ?? (await compartment.spawn(SERVER, argv, { logFile }));
  await untilReady('The control plane', server, logFile, async () => {
    if (!existsSync(adminKubeconfig(stateDir)) || !existsSync(paths.apiSocket)) return false;
    const { code } = await localApi(paths.apiSocket, adminKubeconfig(stateDir)).request('GET', '/readyz', {
      timeoutMs: 2_000,
    });
    return code === 200;
  });
  return found === undefined ? 'done' : 'unchanged';
}

/** The administrator's credentials, as the server wrote them. */
export function adminKubeconfig(stateDir: string): string {
  return join(localPaths(stateDir).data, 'admin.kubeconfig');
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
export async function ensureAgent(
  { options: { stateDir }, program }: LocalCluster,
  host: LocalHost,
): Promise<Outcome> {
  if (host.compartment.part(AGENT) !== undefined) return 'unchanged';
  const logFile = logOf(stateDir, `${host.name}-${AGENT}`);
  const kubeconfig = join(host.compartment.directory, 'agent.kubeconfig');
  const server = `https://${CONTROL_PLANE_ADDRESS}:${API_PORT}`;
  const dataDir = join(host.compartment.directory, 'agent');
  try {
    if (!existsSync(kubeconfig)) {
      const { data } = localPaths(stateDir);
      const { stdout } = await run([
        ...program,
        'certificate',
        'node',
        host.name,
        '--data-dir',
        data,
        '--server',
        server,
      ]);
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

/** The forwarder on the machine's loopback, and the kubeconfig for people that leads there. */
export async function ensureAccess({ options, program }: LocalCluster): Promise<Outcome> {
  const { stateDir, port } = options;
  const paths = localPaths(stateDir);
  copyFileSync(adminKubeconfig(stateDir), paths.kubeconfig);
  chmodSync(paths.kubeconfig, 0o600);
  if (forwarderOf(stateDir) !== undefined) return 'unchanged';
  await checkPortIsFree(port);
  const logFile = logOf(stateDir, 'forward');
  const log = openSync(logFile, 'a');
  const argv = [...program, 'forward', '--listen', `127.0.0.1:${port}`, '--to', paths.apiSocket];
  const script = 'cat "/proc/$$/stat" >"$0.new" && mv "$0.new" "$0" && exec "$@"';
  const child = spawn('sh', ['-c', script, paths.forwarder, ...argv], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, [MARK]: `${stateDir}:forward` },
  });
  closeSync(log);
  await once(child, 'spawn');
  child.unref();
  await waitForPort(port, logFile, () => child.exitCode !== null || child.signalCode !== null);
  return 'done';
}

function flagsOf(flags: Readonly<Record<string, string>>): string[] {
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

async function untilReady(
  what: string,
  identity: ProcessIdentity,
  logFile: string,
  isReady: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  let last: unknown;
  for (;;) {
    if (!isRunning(identity)) throw new StepError(`${what} ended while it started`, logFile, last);
    try {
      if (await isReady()) return;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw new StepError(`${what} is not ready after 60 s`, logFile, last);
    await delay(50);
  }
}
