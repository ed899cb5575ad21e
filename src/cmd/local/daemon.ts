import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BRIDGE_NAME, DAEMON_PORT, LIVE_FOLDER } from '../../config/local.ts';
import type { Compartment } from './compartment.ts';
import { isRunning, type ProcessIdentity } from './process.ts';
import { StepError } from './progress.ts';

/** The Incus or LXD daemon of one local host: how it is started, asked whether it is ready, and given its network. */
export interface Daemon {
  readonly socketPath: string;
  /** What makes `incus`, `incusd`, `lxc` or `lxd` inside the host speak to this daemon. */
  readonly env: Readonly<Record<string, string>>;
  /** What the daemon alone has besides. */
  readonly ownEnv: Readonly<Record<string, string>>;
  /** Settings of `incus` or `lxc` inside the host. */
  readonly cliDirectory: string;
  readonly program: string;
  readonly arguments: readonly string[];
}

/** The part name of the daemon in its compartment. */
export const DAEMON = 'daemon';

/** @param live whether containers can move off it, and onto it, while they run */
export function daemonOf(
  runtime: 'incus' | 'lxd',
  directory: string,
  { program, live = false }: { program: string; live?: boolean },
): Daemon {
  const home = join(directory, runtime);
  const cliDirectory = join(directory, 'cli');
  const upper = runtime.toUpperCase();
  return {
    socketPath: join(home, 'unix.socket'),
    env: { [`${upper}_DIR`]: home, [`${upper}_CONF`]: cliDirectory, HOME: directory },
    ownEnv: live ? liveEnvironment() : {},
    cliDirectory,
    program,
    arguments: runtime === 'lxd' ? ['--group', 'root'] : [],
  };
}

/** As scripts/setup --live sets it for the daemon of a host. */
function liveEnvironment(): Record<string, string> {
  return { INCUS_IDMAPPED_MOUNTS_DISABLE: '1', PATH: `${LIVE_FOLDER}/bin:${process.env['PATH'] ?? ''}` };
}

/** Starts the daemon unless it runs, and waits until it answers. @throws Error when it is not ready after 60 s */
export async function startDaemon(compartment: Compartment, daemon: Daemon, logFile: string): Promise<void> {
  const found = compartment.part(DAEMON);
  // One that is about to end, because it was just killed, is still found.
  if (found !== undefined && (await isReady(daemon.socketPath, found))) return;
  const started = await spawnDaemon(compartment, daemon, logFile);
  if (!(await isReady(daemon.socketPath, started))) {
    throw new StepError('The daemon ended while it started', logFile, undefined);
  }
}

function spawnDaemon(compartment: Compartment, daemon: Daemon, logFile: string): Promise<ProcessIdentity> {
  mkdirSync(join(daemon.socketPath, '..'), { recursive: true, mode: 0o711 });
  mkdirSync(daemon.cliDirectory, { recursive: true });
  // Where there is one, the command line does not greet a newcomer on each host.
  writeFileSync(join(daemon.cliDirectory, 'config.yml'), '{}\n');
  // Left behind by a daemon that was killed; the next one would wait for somebody to answer on it.
  rmSync(daemon.socketPath, { force: true });
  return compartment.spawn(DAEMON, [daemon.program, ...daemon.arguments], {
    logFile,
    env: { ...daemon.env, ...daemon.ownEnv },
  });
}

/** Waits for the daemon's answer. @returns false when it ended before @throws Error when there is none in 60 s */
async function isReady(socketPath: string, process: ProcessIdentity): Promise<boolean> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    if (!isRunning(process)) return false;
    try {
      await daemonRequest(socketPath, 'GET', '/internal/ready');
      return true;
    } catch (error) {
      if (performance.now() > deadline)
        throw new Error('The daemon is not ready after 60 s', { cause: error });
    }
    await delay(50);
  }
}

/** Opens the daemon's port on the link between the hosts, over which others read what moves to them. */
export async function ensureListening(socketPath: string, address: string): Promise<void> {
  const wanted = { 'core.https_address': `${address}:${DAEMON_PORT}` };
  const { config } = (await daemonRequest(socketPath, 'GET', '/1.0')) as { config: Record<string, string> };
  if (config['core.https_address'] !== undefined) return;
  await daemonRequest(socketPath, 'PATCH', '/1.0', { config: wanted });
}

/**
 * Gives the daemon its bridge, on which containers get their addresses by DHCP: routed within the cluster, no NAT, no way
 * out of the machine.
 */
export async function ensureBridge(socketPath: string, bridgeAddress: string): Promise<void> {
  const networks = (await daemonRequest(socketPath, 'GET', '/1.0/networks')) as string[];
  if (networks.includes(`/1.0/networks/${BRIDGE_NAME}`)) return;
  await daemonRequest(socketPath, 'POST', '/1.0/networks', {
    name: BRIDGE_NAME,
    type: 'bridge',
    config: {
      'ipv4.address': `${bridgeAddress}/24`,
      'ipv4.nat': 'false',
      'ipv4.firewall': 'false',
      'ipv6.address': 'none',
    },
  });
}

/** One synchronous request to a daemon's unix socket. @returns the answer's `metadata` @throws Error with its message */
export function daemonRequest(
  socketPath: string,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const fail = (cause: unknown): void => reject(new Error(`${method} ${path} on ${socketPath}`, { cause }));
  const outgoing = request(
    {
      socketPath,
      method,
      path,
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(30_000),
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', fail);
      response.once('end', () => {
        try {
          const answer = JSON.parse(Buffer.concat(chunks).toString()) as {
            metadata: unknown;
            error?: string;
          };
          if ((response.statusCode ?? 500) < 400) resolve(answer.metadata);
          else fail(new Error(answer.error ?? `status ${response.statusCode}`));
        } catch (error) {
          fail(error);
        }
      });
    },
  );
  outgoing.once('error', fail);
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}
