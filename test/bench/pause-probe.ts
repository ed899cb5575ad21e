import { connect, type Socket } from 'node:net';
import { COUNT_PORT } from '../support/counting-container.ts';

/**
 * How long a container that counts (test/support/counting-container) is not heard of: one TCP connection, and a new one as soon as
 * that one has ended, or the container may have been started anew.
 */
export class PauseProbe {
  /** Of connections that were open and have ended. */
  dropped = 0;
  /** The longest time without a number since `reset`, in ms. */
  pauseMs = 0;
  readonly #dialPath: string;
  readonly #address: string;
  readonly #open = new Set<Socket>();
  readonly #timer: NodeJS.Timeout;
  #heardMs = 0;
  #current: Socket | undefined;

  constructor(dialPath: string, address: string) {
    this.#dialPath = dialPath;
    this.#address = address;
    this.#timer = setInterval(() => this.#look(), TRY_MS);
  }

  reset(): void {
    this.dropped = 0;
    this.pauseMs = 0;
    this.#heardMs = performance.now();
  }

  /** @throws Error when nothing is heard in time */
  async untilHeard(timeoutMs: number): Promise<void> {
    const sinceMs = performance.now();
    while (this.#heardMs < sinceMs) {
      if (performance.now() - sinceMs > timeoutMs) throw new Error(`${this.#address} is not heard of`);
      await new Promise((resolve) => setTimeout(resolve, TRY_MS));
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const socket of this.#open) socket.destroy();
  }

  /** A try does no harm to the connection that there is: the container takes one at a time. */
  #look(): void {
    if (performance.now() - this.#heardMs < SILENT_MS || this.#open.size >= MAX_OPEN) return;
    const socket = connect(this.#dialPath);
    this.#open.add(socket);
    socket.setTimeout(TIMEOUT_MS, () => {
      if (socket !== this.#current) socket.destroy();
    });
    socket.write(`${this.#address} ${COUNT_PORT}\n`);
    socket.on('data', () => this.#hear(socket));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#open.delete(socket);
      if (socket !== this.#current) return;
      this.#current = undefined;
      this.dropped += 1;
    });
  }

  #hear(socket: Socket): void {
    if (this.#current !== undefined && this.#current !== socket) this.dropped += 1;
    this.#current = socket;
    const nowMs = performance.now();
    if (this.#heardMs > 0) this.pauseMs = Math.max(this.pauseMs, nowMs - this.#heardMs);
    this.#heardMs = nowMs;
  }
}

const TRY_MS = 50;
const SILENT_MS = 200;
const TIMEOUT_MS = 1_000;
/** So many that there is always one more to try with: a try that is lost is silent for TIMEOUT_MS. */
const MAX_OPEN = TIMEOUT_MS / TRY_MS + 4;
