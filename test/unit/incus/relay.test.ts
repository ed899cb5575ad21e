import { EventEmitter, once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { openRelay, ownNetwork, type Relay, TokenBucket } from '../../../src/incus/relay.ts';
import { PULL_STALL_MS, type TransferProgress } from '../../../src/ports/host-transfer.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A daemon that sends `payload` to whoever connects, and what a relay to it says. */
async function benchOf(payload: Buffer, bandwidthBytesPerSecond?: number) {
  const clock = createFakeClock();
  const far = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(payload);
  });
  far.listen(0, '127.0.0.1');
  await once(far, 'listening');
  const told: TransferProgress[] = [];
  const stalls = new EventEmitter();
  let stalled = 0;
  const relay: Relay = await openRelay({
    clock,
    network: ownNetwork,
    target: new URL(`https://127.0.0.1:${(far.address() as AddressInfo).port}`),
    ...(bandwidthBytesPerSecond === undefined ? {} : { bandwidthBytesPerSecond }),
    onProgress: (progress) => void told.push(progress),
    onStall: () => {
      stalled += 1;
      stalls.emit('stall');
    },
  });
  const near: Socket = connect(Number(new URL(relay.address).port), '127.0.0.1');
  near.on('error', () => {});
  closers.push(
    () => relay.close(),
    () => near.destroy(),
    () => far.close(),
  );
  const seen = { bytes: 0 };
  const more = new EventEmitter();
  near.on('data', (chunk: Buffer) => {
    seen.bytes += chunk.length;
    more.emit('more');
  });
  const until = async (bytes: number): Promise<void> => {
    while (seen.bytes < bytes) await once(more, 'more');
  };
  return { clock, relay, near, told, until, received: () => seen.bytes, stalled: () => stalled };
}

describe('the relay of a pass', () => {
  it('passes on all bytes, counts them, and tells how fast they come', async () => {
    const { clock, relay, told, until } = await benchOf(Buffer.alloc(1_000_000));
    await until(1_000_000);
    expect(relay.bytes).toBe(1_000_000);
    await clock.advance(500);
    expect(told.at(-1)).toEqual({ bytes: 1_000_000, bytesPerSecond: 2_000_000 });
  });

  it('reads no further ahead than its limit lets it', async () => {
    const { clock, relay, until, received } = await benchOf(Buffer.alloc(1_000_000), 100_000);
    await until(1);
    // What one read brings may be above the limit; it is waited for afterwards.
    const first = received();
    expect(first).toBeLessThan(1_000_000);
    await until(first);
    expect(relay.bytes).toBeLessThan(1_000_000);
    for (let step = 0; step < 200 && received() < 1_000_000; step += 1) {
      await clock.advance(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(1_000_000);
    expect(relay.bytes).toBe(1_000_000);
  });

  it('ends when nothing comes any more', async () => {
    const { clock, near, until, stalled } = await benchOf(Buffer.from('a'));
    await until(1);
    await clock.advance(PULL_STALL_MS - 1_000);
    expect(stalled()).toBe(0);
    const closed = once(near, 'close');
    await clock.advance(2_000);
    await closed;
    expect(stalled()).toBe(1);
    await clock.advance(PULL_STALL_MS * 2);
    expect(stalled()).toBe(1);
  });

  it('cuts what is open when it is closed, and takes nothing new', async () => {
    const { relay, near, until } = await benchOf(Buffer.from('a'));
    await until(1);
    const closed = once(near, 'close');
    relay.close();
    relay.close();
    await closed;
    const late = connect(Number(new URL(relay.address).port), '127.0.0.1');
    await expect(once(late, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('a bandwidth limit', () => {
  it('lets a burst through, then as much as comes with time', async () => {
    const clock = createFakeClock();
    const bucket = new TokenBucket(clock, 1_000);
    expect(bucket.take(250)).toBe(0);
    expect(bucket.take(100)).toBe(100);
    await clock.advance(100);
    expect(bucket.take(50)).toBe(50);
    await clock.advance(10_000);
    expect(bucket.take(250)).toBe(0);
    expect(bucket.take(1)).toBe(1);
  });
});
