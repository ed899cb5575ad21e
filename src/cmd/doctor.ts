import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { Command } from 'commander';
import { guardPaths } from '../config/guard.ts';
import type { ServerView } from '../incus/host.ts';
import { checkLive, thisMachine } from '../incus/live.ts';
import { messageOf } from '../ports/errors.ts';
import {
  daemonFindings,
  type Finding,
  formatFindings,
  hostlerFindings,
  liveFindings,
  machineFindings,
} from './doctor/checks.ts';
import { daemonRequest } from './local/daemon.ts';

interface Flags {
  incus?: string;
  stateDir?: string;
  json?: boolean;
}

const SOCKETS = ['/var/lib/incus/unix.socket', '/run/incus/unix.socket', '/var/lib/lxd/unix.socket'];
const DEADLINE_MS = 60_000;
const ANSWER_MS = 2_000;

/** `hostler doctor`: exit code 0 when the host can run containers, 1 when something is missing for that. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('look at this host: what works, what does not, and what to do about it')
    .option('--incus <address>', `the daemon's socket: unix:/path/to/unix.socket (default: ${SOCKETS[0]}, …)`)
    .option('--state-dir <folder>', "the agent's, to ask its guard")
    .option('--json', 'as JSON')
    .action(runDoctor);
}

async function runDoctor(flags: Flags): Promise<void> {
  const found = await examine(flags, AbortSignal.timeout(DEADLINE_MS));
  process.stdout.write(
    flags.json === true ? `${JSON.stringify(found, undefined, 2)}\n` : formatFindings(found),
  );
  process.exitCode = found.some(({ level }) => level === 'missing') ? 1 : 0;
}

async function examine({ incus, stateDir }: Flags, signal: AbortSignal): Promise<Finding[]> {
  const [machine, kubectl, guard] = await Promise.all([
    machineFindings(thisMachine),
    thisMachine
      .run('kubectl', ['version', '--client', '-o', 'json'], process.env['PATH'] ?? '', signal)
      .catch(() => undefined),
    guardOf(stateDir),
  ]);
  const own = hostlerFindings({ kubectl, guard, watchdog: existsSync('/dev/watchdog') });
  return [...(await daemonPart(socketOf(incus), signal)), ...machine, ...own];
}

async function daemonPart(socket: string | undefined, signal: AbortSignal): Promise<Finding[]> {
  if (socket === undefined) {
    const message = `no daemon found at ${SOCKETS.join(', ')}: install incus-base, or name its socket with --incus`;
    return [{ part: 'host', name: 'daemon', level: 'missing', message }];
  }
  try {
    const view = (await daemonRequest(socket, 'GET', '/1.0')) as ServerView;
    const pools = (await daemonRequest(socket, 'GET', '/1.0/storage-pools?recursion=1')) as
      | { name: string; driver: string }[]
      | null;
    const live = await checkLive({ view, isLocal: true }, thisMachine, signal);
    return [...daemonFindings(view, pools ?? []), ...liveFindings(live)];
  } catch (error) {
    return [{ part: 'host', name: 'daemon', level: 'missing', message: messageOf(error) }];
  }
}

function socketOf(address: string | undefined): string | undefined {
  if (address === undefined) return SOCKETS.find((path) => existsSync(path));
  if (!address.startsWith('unix:/')) throw new Error(`--incus ${address}: a socket is given as unix:/path`);
  return address.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
}

/** Whether anything accepts on the guard's socket; it is asked nothing, so that it holds nothing against the agent. */
function guardOf(stateDir: string | undefined): Promise<'answers' | 'silent' | 'unknown'> {
  if (stateDir === undefined) return Promise.resolve('unknown');
  const socket = connect(guardPaths(stateDir).socket);
  return new Promise((resolve) => {
    const end = (result: 'answers' | 'silent'): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(ANSWER_MS, () => end('silent'));
    socket.once('connect', () => end('answers'));
    socket.once('error', () => end('silent'));
  });
}
