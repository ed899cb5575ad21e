import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { Command } from 'commander';
import { systemClock } from '../ports/clock.ts';
import { createProbe, parseTarget, type Target, watchTargets } from './forward/targets.ts';

/**
 * `hostler forward`: passes TCP connections on the machine's loopback on to an API server, byte by byte; TLS is between the two
 * ends. Of several API servers it takes one that is ready, so that a kubectl, whose kubeconfig can name one server only, goes on
 * when a server is lost; and it reaches those of a local cluster, whose network the machine is not on, by their unix sockets.
 */
export function forwardCommand(): Command {
  return new Command('forward')
    .description('pass connections on a loopback port on to an API server; of several, to one that is ready')
    .requiredOption('--listen <address:port>', 'where to listen: an address of the loopback interface')
    .requiredOption(
      '--to <targets>',
      'ADDRESS:PORT or the path of a unix socket; several, with commas between them',
    )
    .action(async (options: { listen: string; to: string }) => {
      const targets = options.to.split(',').map((text) => text.trim());
      const close = await forward(options.listen, targets);
      const { promise, resolve } = Promise.withResolvers<void>();
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
      await promise;
      await close();
    });
}

/** A server that is cut off takes connections no more, and does not say so. */
const CONNECT_TIMEOUT_MS = 1_000;

/**
 * @param to paths of sockets, or addresses with ports
 * @returns ends the listener and all of its connections
 * @throws Error when `listen` is not on the loopback interface, or taken
 */
export async function forward(listen: string, to: readonly string[]): Promise<() => Promise<void>> {
  const [, host = '', port = ''] = /^(127\.\d+\.\d+\.\d+|\[::1\]):(\d+)$/.exec(listen) ?? [];
  if (port === '') throw new Error(`--listen ${listen}: must be 127.x.x.x:PORT or [::1]:PORT`);
  const all = to.map(parseTarget);
  /** Each socket, with the target that it leads to. */
  const sockets = new Map<Socket, Target | undefined>();
  const track = (socket: Socket, target?: Target): void => {
    sockets.set(socket, target);
    socket.once('close', () => sockets.delete(socket));
  };
  const cut = (left: Target): void => {
    for (const [socket, target] of sockets) if (target === left) socket.destroy();
  };
  const prober = createProbe();
  const targets = watchTargets({ targets: all, probe: prober.probe, clock: systemClock, onWorse: cut });
  const serve = async (client: Socket): Promise<void> => {
    for (const target of targets.ranked()) {
      if (client.destroyed) return;
      const socket = await open(target);
      if (socket === undefined) {
        targets.failed(target);
        continue;
      }
      targets.worked(target);
      track(socket, target);
      return join(client, socket);
    }
    client.destroy();
  };
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    track(client);
    // The other end of a broken connection hears of it at once; it is that end which reports it.
    client.on('error', () => client.destroy());
    void serve(client);
  });
  server.listen(Number(port), host.replace(/[[\]]/g, ''));
  try {
    await once(server, 'listening');
  } catch (error) {
    targets.stop();
    prober.close();
    throw error;
  }
  return async () => {
    targets.stop();
    prober.close();
    server.close();
    for (const socket of sockets.keys()) socket.destroy();
    await once(server, 'close');
  };
}

/** @returns undefined when there is no connection in time */
async function open({ address }: Target): Promise<Socket | undefined> {
  const socket = connect(address);
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    socket.setNoDelay(true);
    return socket;
  } catch {
    // The next one is tried, and the client sees its connection closed when there is none.
    socket.destroy();
    return undefined;
  }
}

function join(client: Socket, target: Socket): void {
  target.on('error', () => client.destroy());
  client.once('close', () => target.destroy());
  target.once('close', () => client.destroy());
  if (client.destroyed) target.destroy();
  client.pipe(target).pipe(client);
  client.resume();
}
