import type { OnReadOpts, Socket } from 'node:net';
import type { Clock } from '../ports/clock.ts';
import type { TokenBucket } from './token-bucket.ts';
import type { TransferMeter } from './transfer-meter.ts';

/**
 * From one socket to another, at most as fast as the other takes it: what was read and is not taken yet is one read at most. What a
 * byte costs here is the number of reads, each with a wake-up, a write and a wake-up of the other side: a source that is busy sends 16 KiB at a time. So
 * the heavy direction reads into one large buffer, and after a read that brought much, but not all that it could, it waits a moment for more.
 */
export interface Flow {
  clock: Clock;
  meter: TransferMeter;
  limiter?: TokenBucket;
}

/** The most that one read brings, and with it what a connection holds here. */
export const READ_BYTES = 256 * 1024;
/** A read below it is part of a dialogue, which nothing may hold up. */
export const BULK_BYTES = 4 * 1024;
/** For how long bytes gather in the kernel before the next read. */
export const GATHER_MS = 4;

/** So small is no buffer, whatever the limit. */
const LEAST_READ_BYTES = 16 * 1024;

/**
 * The heavy direction. Only a socket that is dialled can have a buffer of ours.
 * @param dial opens the connection that is read
 */
export function pumpFrom(dial: (onread: OnReadOpts) => Socket, to: Socket, flow: Flow): Socket {
  const { clock, meter, limiter } = flow;
  const buffer = Buffer.allocUnsafeSlow(readBytes(limiter));
  // Why reading is stopped at the moment; it goes on when neither holds. The buffer is free again when `to` has taken all.
  let isFull = false;
  let isEarly = false;
  const goOn = (): void => {
    if (!isFull && !isEarly) from.resume();
  };
  const onTaken = (): void => {
    if (!isFull) return;
    isFull = false;
    goOn();
  };
  const callback = (bytes: number): boolean => {
    meter.add(bytes);
    to.write(buffer.subarray(0, bytes), onTaken);
    isFull = to.writableLength > 0;
    const waitMs = Math.max(limiter?.take(bytes) ?? 0, gatherMs(bytes, buffer.length));
    isEarly = waitMs > 0;
    if (isEarly) {
      clock.schedule(waitMs, () => {
        isEarly = false;
        goOn();
      });
    }
    return !isFull && !isEarly;
  };
  const from = dial({ buffer, callback });
  from.on('end', () => to.end());
  return from;
}

/** The way back: requests, and what a refresh compares. */
export function pumpBack(from: Socket, to: Socket, { meter }: Pick<Flow, 'meter'>): void {
  from.on('data', (chunk: Buffer) => {
    meter.add(chunk.length);
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', () => to.end());
}

/** Under a limit no read brings much more than may go at once. */
function readBytes(limiter: TokenBucket | undefined): number {
  if (limiter === undefined) return READ_BYTES;
  return Math.min(READ_BYTES, Math.max(LEAST_READ_BYTES, Math.floor(limiter.burst)));
}

/** A full buffer means that more is there already. */
function gatherMs(bytes: number, capacity: number): number {
  return bytes >= BULK_BYTES && bytes < capacity ? GATHER_MS : 0;
}
