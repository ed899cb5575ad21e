import { EventEmitter } from 'node:events';
import type { OnReadOpts, Socket } from 'node:net';
import { Writable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { BULK_BYTES, GATHER_MS, pumpFrom, READ_BYTES } from '../../../src/incus/pump.ts';
import { TokenBucket } from '../../../src/incus/token-bucket.ts';
import { TransferMeter } from '../../../src/incus/transfer-meter.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

/** A pump between a socket that reads when it is told, and one that takes when it is told (`isSlow`), or at once. */
function pumpOf({ isSlow = false, limit }: { isSlow?: boolean; limit?: number } = {}) {
  const clock = createFakeClock();
  const meter = new TransferMeter({ clock, onProgress: () => {}, onStall: () => {} });
  const held: (() => void)[] = [];
  const taken: Buffer[] = [];
  const to = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      const take = (): void => {
        taken.push(Buffer.from(chunk));
        done();
      };
      if (isSlow) held.push(take);
      else take();
    },
  });
  let onread: OnReadOpts | undefined;
  let resumed = 0;
  const from = Object.assign(new EventEmitter(), { resume: () => void (resumed += 1) });
  const dial = (given: OnReadOpts): Socket => {
    onread = given;
    return from as unknown as Socket;
  };
  const limiter = limit === undefined ? {} : { limiter: new TokenBucket(clock, limit) };
  pumpFrom(dial, to as unknown as Socket, { clock, meter, ...limiter });
  const buffer = onread?.buffer as Buffer;
  return {
    clock,
    meter,
    from,
    to,
    taken,
    capacity: buffer.length,
    /** @returns whether it would read on */
    read: (bytes: number, value = 0): boolean => {
      expect(bytes).toBeLessThanOrEqual(buffer.length);
      buffer.fill(value, 0, bytes);
      return onread?.callback(bytes, buffer) ?? true;
    },
    takeOne: () => held.shift()?.(),
    resumed: () => resumed,
  };
}

describe('the pump of the heavy direction', () => {
  it.each([
    ['a small read, which may belong to a dialogue,', BULK_BYTES - 1],
    ['a full one, behind which there is more already,', READ_BYTES],
  ])('reads on at once after %s', (_what, bytes) => {
    const { read, clock } = pumpOf();
    const timers = clock.pending();
    expect(read(bytes)).toBe(true);
    expect(clock.pending()).toBe(timers);
  });

  it.each([
    ['the smallest of the bulk', BULK_BYTES],
    ['almost a full one', READ_BYTES - 1],
  ])('lets more gather after %s', async (_what, bytes) => {
    const { read, resumed, clock, taken } = pumpOf();
    expect(read(bytes)).toBe(false);
    expect(taken.map(({ length }) => length)).toEqual([bytes]);
    await clock.advance(GATHER_MS - 1);
    expect(resumed()).toBe(0);
    await clock.advance(1);
    expect(resumed()).toBe(1);
  });

  it('does not touch its buffer before all of it is taken', async () => {
    const { read, resumed, clock, taken, takeOne } = pumpOf({ isSlow: true });
    expect(read(READ_BYTES, 7)).toBe(false);
    await clock.advance(60_000);
    expect(resumed()).toBe(0);
    takeOne();
    await clock.advance(0);
    expect(resumed()).toBe(1);
    expect(taken[0]?.equals(Buffer.alloc(READ_BYTES, 7))).toBe(true);
  });

  it('waits for both: that all is taken, and for more to gather', async () => {
    const { read, resumed, clock, takeOne } = pumpOf({ isSlow: true });
    expect(read(BULK_BYTES)).toBe(false);
    takeOne();
    await clock.advance(GATHER_MS - 1);
    expect(resumed()).toBe(0);
    await clock.advance(1);
    expect(resumed()).toBe(1);
  });

  it('counts what it has read, whether it is taken or not', () => {
    const { read, meter } = pumpOf({ isSlow: true });
    read(100);
    expect(meter.bytes).toBe(100);
  });

  it('reads no more at once than may go at once, and then waits for as long as that takes', async () => {
    const { read, resumed, clock, capacity } = pumpOf({ limit: 100_000 });
    expect(capacity).toBe(25_000);
    expect(read(25_000)).toBe(true);
    expect(read(10_000)).toBe(false);
    await clock.advance(99);
    expect(resumed()).toBe(0);
    await clock.advance(1);
    expect(resumed()).toBe(1);
  });

  it.each([
    ['a low limit', 1_000, 16 * 1024],
    ['a high one', 1e9, READ_BYTES],
  ])('has a buffer that makes sense under %s', (_what, limit, bytes) => {
    expect(pumpOf({ limit }).capacity).toBe(bytes);
  });

  it('ends the other side after what is still on its way', () => {
    const { read, from, to, taken, takeOne } = pumpOf({ isSlow: true });
    read(10);
    from.emit('end');
    expect(to.writableEnded).toBe(true);
    expect(to.writableFinished).toBe(false);
    takeOne();
    expect(taken).toHaveLength(1);
  });
});
