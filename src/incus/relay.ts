import { connect, createServer, type AddressInfo, type OnReadOpts, type Socket } from 'node:net';
import type { Clock, Timer } from '../ports/clock.ts';
import { HostlerError } from '../ports/errors.ts';
import type { TransferProgress } from '../ports/host-transfer.ts';
import { type Flow, pumpBack, pumpFrom } from './pump.ts';
import { TokenBucket } from './token-bucket.ts';
import { TransferMeter } from './transfer-meter.ts';

/**
 * What a pass moves goes from the source's daemon to ours through here: neither daemon counts bytes for others, limits them per
 * transfer, or can be told to stop pulling. The relay sees TLS only, from one daemon to the other, and needs no secret.
 */
export interface Relay {
  /** `https://…`, for our daemon alone. */
  readonly address: string;
  /** Both ways, so far. */
  readonly bytes: number;
  /** All that was wanted has come: what the two daemons still say to each other gets through, for LINGER_MS at most. */
  finish(): void;
  /** Cuts all connections; no further one is accepted. Idempotent. */
  close(): void;
}

/** The source takes for a failure what ends before it has heard of the success. */
export const LINGER_MS = 1_000;

/** How connections come and go, each with ends that close on their own; tests whose daemons are in namespaces have their own. */
export interface TransferNetwork {
  /** @returns where our daemon finds it: `127.0.0.1:41234` */
  listen(onConnection: (socket: Socket) => void): Promise<{ address: string; close(): void }>;
  /** @param onread where to read into, and whom to tell: there are no `data` events */
  dial(host: string, port: number, onread: OnReadOpts): Socket;
}

export interface RelayOptions {
  clock: Clock;
  network: TransferNetwork;
  /** Of the source's daemon. */
  target: URL;
  bandwidthBytesPerSecond?: number;
  onProgress: (progress: TransferProgress) => void;
  /** Nothing has come for PULL_STALL_MS: the relay is closed already. */
  onStall: () => void;
}

export async function openRelay(options: RelayOptions): Promise<Relay> {
  const { clock, network, target, bandwidthBytesPerSecond, onProgress } = options;
  const sockets = new Set<Socket>();
  const onStall = (): void => {
    close();
    options.onStall();
  };
  const meter = new TransferMeter({ clock, onProgress, onStall });
  const flow: Flow = {
    clock,
    meter,
    ...(bandwidthBytesPerSecond === undefined
      ? {}
      : { limiter: new TokenBucket(clock, bandwidthBytesPerSecond) }),
  };
  let isClosed = false;
  let lingering: Timer | undefined;

  const listener = await network.listen((near) => {
    if (isClosed) {
      near.destroy();
      return;
    }
    const [host, port] = [target.hostname.replace(/^\[(.*)\]$/, '$1'), Number(target.port || 443)];
    const far = pumpFrom((onread) => network.dial(host, port, onread), near, flow);
    pumpBack(near, far, flow);
    tie(near, far, sockets, () => {
      if (lingering !== undefined && sockets.size === 0) close();
    });
  });
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    lingering?.cancel();
    meter.stop();
    listener.close();
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const finish = (): void => {
    if (isClosed || sockets.size === 0) return close();
    meter.stop();
    listener.close();
    lingering = clock.schedule(LINGER_MS, close);
  };
  return {
    address: `https://${listener.address}`,
    get bytes() {
      return meter.bytes;
    },
    finish,
    close,
  };
}

/** Both go together: one that breaks takes the other with it, and of one that has ended the other still gets all. */
function tie(near: Socket, far: Socket, sockets: Set<Socket>, onClose: () => void): void {
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    sockets.add(one);
    one.setNoDelay(true);
    one.on('error', () => other.destroy());
    one.on('close', () => {
      sockets.delete(one);
      other.destroySoon();
      onClose();
    });
  }
}

/** The agent is in the same network namespace as the daemon that it drives by a unix socket. */
export const ownNetwork: TransferNetwork = {
  listen: async (onConnection) => {
    const server = createServer({ allowHalfOpen: true }, onConnection);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new HostlerError('Unavailable', 'no port on 127.0.0.1 could be opened', { cause })),
      );
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    return { address: `127.0.0.1:${port}`, close: () => void server.close() };
  },
  dial: (host, port, onread) => connect({ host, port, onread, allowHalfOpen: true }),
};
