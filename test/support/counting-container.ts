import { readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';

/**
 * A container that counts: the number is in the memory of a process, in an append-only file, and on a TCP connection, so that all
 * three show what a move has kept. It is made of the busybox image, before its first start.
 */
export interface CountingOptions {
  /** With prefix: on the LAN. */
  address: string;
  /** Held by a process of its own. @defaultValue 0 */
  memoryMegabytes?: number;
  /** Of a file that is written anew every ten seconds. @defaultValue 0 */
  changingMegabytes?: number;
  /**
   * Whether it listens anew, and counts on, once a connection has ended; else one connection is all that there is until its next start.
   * @defaultValue false
   */
  listensAgain?: boolean;
}

export const COUNT_PORT = 7000;
export const COUNT_MS = 10;

/** Until the connection ends; without a reader the shell's echo only fails. */
const COUNTING = `while :; do
  n=$((n + 1))
  echo $n >>/counted
  echo $n || break
  usleep ${COUNT_MS * 1000}
done | nc -l -p ${COUNT_PORT}`;

/** @param root folder of the container's root */
export async function makeCounting(
  root: string,
  { address, memoryMegabytes = 0, changingMegabytes = 0, listensAgain = false }: CountingOptions,
): Promise<void> {
  const memory =
    memoryMegabytes === 0
      ? ''
      : `awk 'BEGIN { s = "0123456789abcdef"; while (length(s) < ${memoryMegabytes} * 500000) s = s s; t = s "x"; while (1) system("sleep 1000") }' &\n`;
  const changing =
    changingMegabytes === 0
      ? ''
      : `while :; do dd if=/dev/urandom of=/changing bs=1M count=${changingMegabytes} conv=notrunc; sleep 10; done &\n`;
  await writeFile(
    join(root, 'etc/counting'),
    `ip addr add ${address} dev eth0; ip link set eth0 up
${memory}${changing}n=0
${listensAgain ? `while :; do n=$(tail -n 1 /counted); ${COUNTING}; done` : COUNTING}
`,
  );
  const init = join(root, 'sbin/init');
  const script = await readFile(init, 'utf8');
  const counting = script
    .replace('while :; do', 'sh /etc/counting >/dev/null 2>&1 &\nwhile :; do')
    // It would take the address away again.
    .replace(/^.*udhcpc -i eth0.*$/m, '');
  await writeFile(init, counting);
}

/** Reads the numbers, and notes when each came. */
export class CountReader {
  /** The last number. */
  last = 0;
  /** Whether each number was the one before plus 1. */
  isComplete = true;
  /** The longest time without any, in ms. */
  longestGapMs = 0;
  end: Error | 'closed' | undefined;
  readonly #socket: Socket;
  #rest = '';
  #lastMs: number;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#lastMs = performance.now();
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.once('error', (error) => {
      this.end ??= error;
    });
    socket.once('close', () => {
      this.end ??= 'closed';
    });
  }

  /** The gap from now on. */
  resetGap(): void {
    this.longestGapMs = 0;
    this.#lastMs = performance.now();
  }

  /** @throws Error when the number does not get there in time */
  async until(number: number, timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.last < number) {
      if (this.end !== undefined)
        throw new Error(`the connection has ended at ${this.last}`, { cause: this.end });
      if (performance.now() > deadlineMs)
        throw new Error(`only ${this.last} of ${number} after ${timeoutMs} ms`);
      await this.#somethingOr(deadlineMs - performance.now());
    }
  }

  async #somethingOr(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    const wake = (): void => resolve();
    this.#socket.once('data', wake).once('close', wake);
    await promise;
    clearTimeout(timer);
    this.#socket.off('data', wake).off('close', wake);
  }

  stop(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    const nowMs = performance.now();
    this.longestGapMs = Math.max(this.longestGapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const number = Number(line);
      if (number !== this.last + 1) this.isComplete = false;
      this.last = number;
    }
  }
}

/** Through a unix socket whose other end is in the network of the hosts: the first line says where to. */
export async function connectCounting(dialPath: string, address: string): Promise<CountReader> {
  for (let attempt = 0; ; attempt += 1) {
    const socket = connect(dialPath);
    socket.write(`${address} ${COUNT_PORT}\n`);
    const reader = new CountReader(socket);
    try {
      await reader.until(1, 2_000);
      return reader;
    } catch (error) {
      reader.stop();
      if (attempt >= 20) throw error;
    }
  }
}

/** What the container has counted into its file. @returns the last number @throws Error when one is missing */
export async function countedIn(root: string): Promise<number> {
  const numbers = (await readFile(join(root, 'counted'), 'utf8')).trim().split('\n').map(Number);
  const gap = numbers.findIndex((number, index) => number !== index + 1);
  if (gap >= 0) throw new Error(`${numbers[gap]} follows ${numbers[gap - 1]}`);
  return numbers.length;
}
