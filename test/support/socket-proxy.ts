import { rm } from 'node:fs/promises';
import { connect, createServer, type ListenOptions, type Server, type Socket } from 'node:net';

/**
 * Stands between a client and a unix socket, and loses answers on demand: the server has done what it was asked for, the
 * client sees its connection reset.
 */
export interface SocketProxy {
  /** Of a proxy that listens on TCP. */
  readonly port: number;
  /** The next request whose head matches (`/^POST \/1.0\/instances /`) is carried out, its answer is lost. */
  loseReplyTo(head: RegExp): void;
  /** How many armed losses have not happened yet. */
  readonly armed: number;
  /** Resets every connection. */
  cut(): void;
  stop(): Promise<void>;
}

/** @param listen `{ path }` for a unix socket, `{ port: 0, host: '127.0.0.1' }` for TCP */
export async function startSocketProxy(listen: ListenOptions, targetPath: string): Promise<SocketProxy> {
  const losses: RegExp[] = [];
  const links = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(targetPath);
    let losing = false;
    const drop = (): void => {
      for (const socket of [client, upstream]) {
        links.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [client, upstream]) {
      links.add(socket);
      socket.on('error', drop);
      socket.on('close', drop);
    }
    client.on('data', (chunk: Buffer) => {
      const index = losses.findIndex((head) => head.test(chunk.toString('latin1')));
      if (index >= 0) {
        losses.splice(index, 1);
        losing = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (losing) drop();
      else client.write(chunk);
    });
  });
  await listening(server, listen);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    loseReplyTo: (head) => void losses.push(head),
    get armed() {
      return losses.length;
    },
    cut() {
      for (const socket of links) socket.destroy();
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of links) socket.destroy();
      await closed;
      if (listen.path !== undefined) await rm(listen.path, { force: true });
    },
  };
}

function listening(server: Server, listen: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen, resolve);
  });
}
