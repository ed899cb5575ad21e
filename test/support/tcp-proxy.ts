import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

/**
 * A TCP proxy on loopback that fails on demand. `toServer` and `toClient` are the two directions: a direction that is
 * swallowed stays open and silent, as behind a firewall that drops packets; the peers see no end and no reset.
 */
export interface TcpProxy {
  /** `http://127.0.0.1:<port>` */
  endpoint: string;
  /** Resets every connection; new ones are served. @returns how many there were */
  cut(): number;
  /** Swallows the bytes of a direction, on present and later connections, until `heal`. */
  swallow(direction: 'toServer' | 'toClient' | 'both'): void;
  /** Makes the present connections silent in both directions for ever; later ones are served. */
  freeze(): void;
  /** Delays every byte of both directions by so many milliseconds from now on. */
  delay(ms: number): void;
  /** Resets new connections at once, until `heal`. */
  refuse(): void;
  /** Ends swallow, delay and refuse. What was swallowed is gone: connections that lost bytes are reset. */
  heal(): void;
  /** Bytes that came in for either side so far. */
  bytes(): number;
  /** Connections accepted so far. */
  accepted(): number;
  stop(): Promise<void>;
}

interface Link {
  client: Socket;
  server: Socket;
  lostBytes: boolean;
  isFrozen: boolean;
}

/** @param target `http://127.0.0.1:<port>` or `127.0.0.1:<port>` */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const url = new URL(target.includes('://') ? target : `tcp://${target}`);
  const links = new Set<Link>();
  const timers = new Set<NodeJS.Timeout>();
  const swallowed = new Set<'toServer' | 'toClient'>();
  let delayMs = 0;
  let isRefusing = false;
  let accepted = 0;
  let bytes = 0;

  const drop = (link: Link): void => {
    links.delete(link);
    link.client.resetAndDestroy();
    link.server.resetAndDestroy();
  };

  const later = (run: () => void): void => {
    if (delayMs === 0) return run();
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, delayMs);
    timers.add(timer);
  };

  const carry = (link: Link, direction: 'toServer' | 'toClient'): void => {
    const [from, to] = direction === 'toServer' ? [link.client, link.server] : [link.server, link.client];
    from.on('data', (chunk) => {
      bytes += chunk.length;
      if (link.isFrozen || swallowed.has(direction)) {
        link.lostBytes = true;
        return;
      }
      later(() => {
        if (!to.destroyed) to.write(chunk);
      });
    });
    from.on('error', () => drop(link));
    from.on('close', () => later(() => drop(link)));
  };

  const server = createServer((client) => {
    accepted++;
    if (isRefusing) {
      client.resetAndDestroy();
      return;
    }
    const link = {
      client,
      server: connect(Number(url.port), url.hostname),
      lostBytes: false,
      isFrozen: false,
    };
    for (const socket of [link.client, link.server]) socket.setNoDelay(true);
    links.add(link);
    carry(link, 'toServer');
    carry(link, 'toClient');
  });
  const port = await listen(server);

  return {
    endpoint: `http://127.0.0.1:${port}`,
    cut() {
      const count = links.size;
      for (const link of links) drop(link);
      return count;
    },
    swallow(direction) {
      if (direction !== 'toClient') swallowed.add('toServer');
      if (direction !== 'toServer') swallowed.add('toClient');
    },
    freeze() {
      for (const link of links) link.isFrozen = true;
    },
    delay(ms) {
      delayMs = ms;
    },
    refuse() {
      isRefusing = true;
    },
    heal() {
      swallowed.clear();
      delayMs = 0;
      isRefusing = false;
      for (const link of links) if (link.lostBytes) drop(link);
    },
    bytes: () => bytes,
    accepted: () => accepted,
    async stop() {
      for (const timer of timers) clearTimeout(timer);
      for (const link of links) drop(link);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
}
