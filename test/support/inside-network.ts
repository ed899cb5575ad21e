import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { LocalHost } from '../../src/cmd/local/host.ts';
import type { TransferNetwork } from '../../src/incus/relay.ts';

/**
 * The network of a host in a namespace, for a driver in this process: a helper inside leads TCP connections of the host out
 * to a unix socket, and others in, since unix sockets know no networks. One listener at a time.
 */
export interface InsideNetwork extends TransferNetwork {
  /** A unix socket that leads into the host's network; the first line says where to: `10.88.0.1 80`. */
  readonly dialPath: string;
  stop(): Promise<void>;
}

const HELPER = `
  const { connect, createServer } = require('node:net');
  const { renameSync, writeFileSync } = require('node:fs');
  const [inward, outward, portFile] = process.argv.slice(1);
  const join = (a, b) => {
    a.pipe(b).pipe(a);
    for (const [x, y] of [[a, b], [b, a]]) { x.on('error', () => y.destroy()); x.on('close', () => y.destroy()); }
  };
  createServer((dialled) => {
    dialled.on('error', () => {});
    dialled.once('data', (first) => {
      const end = first.indexOf(10);
      const [host, port] = first.subarray(0, end).toString().split(' ');
      const far = connect(Number(port), host);
      far.write(first.subarray(end + 1));
      join(dialled, far);
    });
  }).listen(inward);
  const server = createServer((near) => join(near, connect(outward)));
  server.listen(0, '127.0.0.1', () => {
    writeFileSync(portFile + '.new', String(server.address().port));
    renameSync(portFile + '.new', portFile);
  });`;

/** @param directory a short path that the host sees too */
export async function openInsideNetwork(
  host: Pick<LocalHost, 'name' | 'spawn'>,
  directory: string,
): Promise<InsideNetwork> {
  const [inward, outward, portFile] = ['in', 'out', 'port'].map((name) =>
    join(directory, `${host.name}.${name}`),
  ) as [string, string, string];
  await host.spawn('network', [process.execPath, '-e', HELPER, inward, outward, portFile], {
    logFile: `${portFile}.log`,
  });
  while (!existsSync(portFile)) await new Promise((resolve) => setImmediate(resolve));
  const port = await readFile(portFile, 'utf8');
  let accept: ((socket: Socket) => void) | undefined;
  const server = createServer((socket) => {
    if (accept === undefined) socket.destroy();
    else accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(outward, resolve));
  return {
    dialPath: inward,
    listen: async (onConnection) => {
      accept = onConnection;
      const close = (): void => {
        if (accept === onConnection) accept = undefined;
      };
      return { address: `127.0.0.1:${port}`, close };
    },
    dial: (address, dialledPort, onread) => {
      const socket = connect({ path: inward, onread });
      socket.write(`${address} ${dialledPort}\n`);
      return socket;
    },
    stop: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}
