import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { Command } from 'commander';

/**
 * `hostler forward`: passes TCP connections on the machine's loopback on to a unix socket, byte by byte, so that the API of a
 * local cluster, whose network the machine cannot reach, answers on 127.0.0.1. TLS is between the two ends.
 */
export function forwardCommand(): Command {
  return new Command('forward')
    .description('pass connections on a loopback port on to a unix socket (part of `hostler up`)')
    .requiredOption('--listen <address:port>', 'where to listen: an address of the loopback interface')
    .requiredOption('--to <path>', 'the unix socket')
    .action(async (options: { listen: string; to: string }) => {
      const close = await forward(options.listen, options.to);
      const { promise, resolve } = Promise.withResolvers<void>();
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
      await promise;
      await close();
    });
}

/**
 * @returns ends the listener and all of its connections
 * @throws Error when `listen` is not on the loopback interface, or taken
 */
export async function forward(listen: string, socketPath: string): Promise<() => Promise<void>> {
  const [, host = '', port = ''] = /^(127\.\d+\.\d+\.\d+|\[::1\]):(\d+)$/.exec(listen) ?? [];
  if (port === '') throw new Error(`--listen ${listen}: must be 127.x.x.x:PORT or [::1]:PORT`);
  const sockets = new Set<Socket>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer({ noDelay: true }, (client) => {
    const target = connect(socketPath);
    for (const socket of [client, target]) track(socket);
    // The other end of a broken connection hears of it at once; it is that end which reports it.
    client.on('error', () => target.destroy());
    target.on('error', () => client.destroy());
    client.once('close', () => target.destroy());
    target.once('close', () => client.destroy());
    client.pipe(target).pipe(client);
  });
  server.listen(Number(port), host.replace(/[[\]]/g, ''));
  await once(server, 'listening');
  return async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  };
}
