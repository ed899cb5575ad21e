import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Clock, Timer } from '../ports/clock.ts';
import { HostlerError } from '../ports/errors.ts';
import { PULL_STALL_MS, type TransferProgress } from '../ports/host-transfer.ts';

/**
 * What a pass moves goes from the source's daemon to ours through here: neither daemon counts bytes for others, limits them per
 * transfer, or can be told to stop pulling. The relay sees TLS only, from one daemon to the other, and needs no secret.
 */
export interface Relay {
  /** `https://…`, for our daemon alone. */
  readonly address: string;
  /** Both ways, so far. */
  readonly bytes: number;
  /** Cuts all connections; no further one is accepted. Idempotent. */
  close(): void;
}

/** How connections come and go; tests whose daemons are in namespaces have their own. */
export interface TransferNetwork {
  /** @returns where our daemon finds it: `127.0.0.1:41234` */
  listen(onConnection: (socket: Socket) => void): Promise<{ address: string; close(): void }>;
  dial(host: string, port: number): Socket;
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

const TICK_MS = 500;
/** Over how many ticks the rate is taken. */
const WINDOW = 8;
/** What may go at once under a limit. */
const BURST_SECONDS = 0.25;

export async function openRelay(options: RelayOptions): Promise<Relay> {
  const { clock, network, target } = options;
  const sockets = new Set<Socket>();
  const meter = new Meter(options, () => close());
  const limiter =
    options.bandwidthBytesPerSecond === undefined
      ? undefined
      : new TokenBucket(clock, options.bandwidthBytesPerSecond);
  let isClosed = false;

  const listener = await network.listen((near) => {
    if (isClosed) {
      near.destroy();
      return;
    }
    const far = network.dial(target.hostname.replace(/^\[(.*)\]$/, '$1'), Number(target.port || 443));
    const cut = (): void => {
      for (const socket of [near, far]) {
        socket.destroy();
        sockets.delete(socket);
      }
    };
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', cut);
      socket.on('close', cut);
    }
    pump(far, near, { meter, limiter, clock });
    pump(near, far, { meter, limiter: undefined, clock });
  });
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    meter.stop();
    listener.close();
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    address: `https://${listener.address}`,
    get bytes() {
      return meter.bytes;
    },
    close,
  };
}

/** From one socket to the other, at most as fast as the other takes it and the limiter lets it. */
function pump(
  from: Socket,
  to: Socket,
  { meter, limiter, clock }: { meter: Meter; limiter: TokenBucket | undefined; clock: Clock },
): void {
  // Why reading is stopped at the moment; it goes on when neither holds.
  let isFull = false;
  let isEarly = false;
  const goOn = (): void => {
    if (!isFull && !isEarly) from.resume();
  };
  from.on('data', (chunk: Buffer) => {
    meter.add(chunk.length);
    isFull = !to.write(chunk);
    const delayMs = limiter?.take(chunk.length) ?? 0;
    isEarly = delayMs > 0;
    if (isEarly) {
      clock.schedule(delayMs, () => {
        isEarly = false;
        goOn();
      });
    }
    if (isFull || isEarly) from.pause();
  });
  to.on('drain', () => {
    isFull = false;
    goOn();
  });
  from.on('end', () => to.end());
}

/** Bytes may be taken before they are there; then the taker waits for as long as they need to come. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #tokens: number;
  #filledMs: number;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#tokens = perSecond * BURST_SECONDS;
    this.#filledMs = clock.monotonicMs();
  }

  /** @returns how long to wait before the next ones are taken, in ms */
  take(bytes: number): number {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#filledMs) / 1000) * this.#perSecond;
    this.#filledMs = nowMs;
    this.#tokens = Math.min(this.#perSecond * BURST_SECONDS, this.#tokens + gained) - bytes;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#perSecond) * 1000);
  }
}

/** Counts, tells how fast it goes, and notices when nothing goes any more. */
class Meter {
  bytes = 0;
  readonly #options: RelayOptions;
  readonly #onStall: () => void;
  readonly #samples: { atMs: number; bytes: number }[] = [];
  #movedMs: number;
  #timer: Timer | undefined;

  constructor(options: RelayOptions, close: () => void) {
    this.#options = options;
    this.#onStall = () => {
      close();
      options.onStall();
    };
    this.#movedMs = options.clock.monotonicMs();
    this.#samples.push({ atMs: this.#movedMs, bytes: 0 });
    this.#tick();
  }

  add(bytes: number): void {
    this.bytes += bytes;
    this.#movedMs = this.#options.clock.monotonicMs();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #tick(): void {
    this.#timer = this.#options.clock.schedule(TICK_MS, () => {
      const nowMs = this.#options.clock.monotonicMs();
      if (nowMs - this.#movedMs >= PULL_STALL_MS) return this.#onStall();
      this.#tick();
      this.#report(nowMs);
    });
  }

  #report(nowMs: number): void {
    const oldest = this.#samples.length < WINDOW ? this.#samples[0] : this.#samples.shift();
    this.#samples.push({ atMs: nowMs, bytes: this.bytes });
    const { atMs = nowMs, bytes = 0 } = oldest ?? {};
    const seconds = (nowMs - atMs) / 1000;
    const bytesPerSecond = seconds > 0 ? Math.round((this.bytes - bytes) / seconds) : 0;
    this.#options.onProgress({ bytes: this.bytes, bytesPerSecond });
  }
}

/** The agent is in the same network namespace as the daemon that it drives by a unix socket. */
export const ownNetwork: TransferNetwork = {
  listen: async (onConnection) => {
    const server = createServer(onConnection);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new HostlerError('Unavailable', 'no port on 127.0.0.1 could be opened', { cause })),
      );
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as AddressInfo;
    return { address: `127.0.0.1:${port}`, close: () => void server.close() };
  },
  dial: (host, port) => connect({ host, port, timeout: 0 }),
};
