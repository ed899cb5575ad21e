import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { GATHER_MS } from '../../../src/incus/pump.ts';
import { LINGER_MS, openRelay, ownNetwork, type Relay } from '../../../src/incus/relay.ts';
import { PULL_STALL_MS, type TransferProgress } from '../../../src/ports/host-transfer.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface BenchOptions {
  /** What the daemon at the source does with a connection. */
  serve: (socket: Socket) => void;
  bandwidthBytesPerSecond?: number;
  /** Our daemon does not read yet. */
  isPaused?: boolean;
}

/** Two daemons and the relay between them; each end of a connection closes on its own. */
async function benchOf({ serve, bandwidthBytesPerSecond, isPaused = false }: BenchOptions) {
  const clock = createFakeClock();
  const served: Socket[] = [];
  const far = createServer({ allowHalfOpen: true }, (socket) => {
    served.push(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  far.listen(0, '127.0.0.1');
  await once(far, 'listening');
  const told: TransferProgress[] = [];
  let stalled = 0;
  const relay: Relay = await openRelay({
    clock,
    network: ownNetwork,
    target: new URL(`https://127.0.0.1:${(far.address() as AddressInfo).port}`),
    ...(bandwidthBytesPerSecond === undefined ? {} : { bandwidthBytesPerSecond }),
    onProgress: (progress) => void told.push(progress),
    onStall: () => void (stalled += 1),
  });
  const near = connect({ port: Number(new URL(relay.address).port), host: '127.0.0.1', allowHalfOpen: true });
  near.on('error', () => {});
  closers.push(
    () => relay.close(),
    () => near.destroy(),
    () => served.forEach((socket) => socket.destroy()),
    () => far.close(),
  );
  await once(near, 'connect');
  const received: Buffer[] = [];
  const seen = { bytes: 0 };
  const listen = (): void => {
    near.on('data', (chunk: Buffer) => {
      received.push(chunk);
      seen.bytes += chunk.length;
    });
  };
  if (!isPaused) listen();
  /** Time goes on, but no faster than what was sent. */
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await clock.advance(GATHER_MS);
  };
  return {
    clock,
    relay,
    near,
    served,
    told,
    listen,
    until,
    received: () => Buffer.concat(received),
    bytes: () => seen.bytes,
    stalled: () => stalled,
  };
}

const sends =
  (payload: Buffer) =>
  (socket: Socket): void =>
    void socket.write(payload);

/** More than the kernel holds of a connection whose reader reads nothing. */
const MUCH = 64 * 2 ** 20;

describe('the relay of a pass', () => {
  it('passes on all bytes, counts them, and tells how fast they come', async () => {
    const payload = randomBytes(1_000_000);
    const { relay, told, until, bytes, received } = await benchOf({ serve: sends(payload) });
    await until(() => bytes() === payload.length);
    expect(received().equals(payload)).toBe(true);
    expect(relay.bytes).toBe(1_000_000);
    const before = told.length;
    await until(() => told.length > before);
    const seconds = told.length * 0.5;
    expect(told.at(-1)).toEqual({ bytes: 1_000_000, bytesPerSecond: Math.round(1_000_000 / seconds) });
  });

  it('reads no further ahead than a slow reader takes, and loses nothing', async () => {
    const payload = Buffer.alloc(MUCH);
    for (let at = 0; at < MUCH; at += 4) payload.writeUInt32LE(at, at);
    const { relay, served, near, listen, until, bytes, received } = await benchOf({
      serve: sends(payload),
      isPaused: true,
    });
    let last = -1;
    let same = 0;
    await until(() => {
      same = relay.bytes === last ? same + 1 : 0;
      last = relay.bytes;
      return last > 0 && same > 50;
    });
    expect(relay.bytes).toBeLessThan(MUCH);
    expect(served[0]?.writableLength).toBeGreaterThan(0);
    listen();
    // Now and then it reads nothing for a while.
    near.on('data', () => {
      near.pause();
      setImmediate(() => near.resume());
    });
    await until(() => bytes() === MUCH);
    expect(received().equals(payload)).toBe(true);
  });

  it('reads no further ahead than its limit lets it', async () => {
    const payload = Buffer.alloc(1_000_000);
    const limit = 100_000;
    const { clock, relay, until, bytes } = await benchOf({
      serve: sends(payload),
      bandwidthBytesPerSecond: limit,
    });
    const startMs = clock.monotonicMs();
    // The burst, and one read that is waited for afterwards.
    const allowed = (): number => 50_000 + ((clock.monotonicMs() - startMs) / 1_000) * limit;
    await until(() => {
      expect(relay.bytes).toBeLessThanOrEqual(allowed());
      return bytes() === payload.length;
    });
    expect(relay.bytes).toBe(1_000_000);
  });

  it('ends when nothing comes any more', async () => {
    const { clock, near, until, bytes, stalled } = await benchOf({ serve: sends(Buffer.from('a')) });
    await until(() => bytes() === 1);
    await clock.advance(PULL_STALL_MS - 1_000);
    expect(stalled()).toBe(0);
    const closed = once(near, 'end');
    await clock.advance(2_000);
    await closed;
    expect(stalled()).toBe(1);
    await clock.advance(PULL_STALL_MS * 2);
    expect(stalled()).toBe(1);
  });
});

describe('the ends of a connection through the relay', () => {
  it('answers one that has said all that it had to say', async () => {
    const answer = randomBytes(1_000_000);
    const asked: Buffer[] = [];
    const { near, until, received } = await benchOf({
      serve: (socket) => {
        socket.on('data', (chunk: Buffer) => void asked.push(chunk));
        socket.on('end', () => socket.end(answer));
      },
    });
    let isOver = false;
    near.on('end', () => void (isOver = true));
    near.end('question');
    await until(() => isOver);
    expect(Buffer.concat(asked).toString()).toBe('question');
    expect(received().equals(answer)).toBe(true);
  });

  it('brings the source, however slow, all that is said after its own end', async () => {
    const more = randomBytes(16 * 2 ** 20);
    const asked: Buffer[] = [];
    let isOver = false;
    const { near, until } = await benchOf({
      serve: (socket) => {
        socket.on('data', (chunk: Buffer) => {
          asked.push(chunk);
          socket.pause();
          setImmediate(() => socket.resume());
        });
        socket.on('close', () => void (isOver = true));
        socket.end('that is all');
      },
    });
    near.on('end', () => near.end(more));
    await until(() => isOver);
    expect(Buffer.concat(asked).equals(more)).toBe(true);
  });

  it('closes the one when the other breaks', async () => {
    const { near, served, until, bytes } = await benchOf({ serve: sends(Buffer.alloc(1_000_000)) });
    await until(() => bytes() > 0);
    const isOver = (): boolean => near.readableEnded || near.destroyed;
    expect(isOver()).toBe(false);
    served[0]?.resetAndDestroy();
    await until(isOver);
  });

  it('cuts what is open when it is closed in the middle, and takes nothing new', async () => {
    const ends = new EventEmitter();
    const { relay, near, served, until, bytes } = await benchOf({
      serve: (socket) => {
        socket.write(Buffer.alloc(MUCH));
        socket.on('close', () => ends.emit('close'));
      },
    });
    await until(() => bytes() > 0);
    expect(served[0]?.writableLength).toBeGreaterThan(0);
    const closed = [once(near, 'end'), once(ends, 'close')];
    relay.close();
    relay.close();
    const counted = relay.bytes;
    await Promise.all(closed);
    await until(() => true);
    expect(relay.bytes).toBe(counted);
    await expect(dialled(relay)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('lets the last words through when it is finished, takes nothing new, and waits for nothing after them', async () => {
    const heard: Buffer[] = [];
    const { relay, near, served, clock, until, bytes } = await benchOf({
      serve: (socket) => {
        socket.write('files');
        socket.on('data', (chunk: Buffer) => heard.push(chunk));
        socket.on('end', () => socket.end('bye'));
      },
    });
    await until(() => bytes() === 5);
    relay.finish();
    await expect(dialled(relay)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    near.end('it has succeeded');
    await until(() => bytes() === 8 && near.closed);
    expect(Buffer.concat(heard).toString()).toBe('it has succeeded');
    expect(served[0]?.readableEnded).toBe(true);
    await nothingPending(clock);
  });

  it('cuts what has not ended by itself a while after it was finished', async () => {
    const { relay, near, clock, until, bytes } = await benchOf({ serve: sends(Buffer.from('files')) });
    await until(() => bytes() === 5);
    const ended = once(near, 'end');
    relay.finish();
    await clock.advance(LINGER_MS - 1);
    expect(near.readableEnded).toBe(false);
    await clock.advance(1);
    await ended;
    expect(clock.pending()).toBe(0);
  });

  it('holds nothing when it is finished and nothing was open', async () => {
    const { relay, near, clock } = await benchOf({ serve: (socket) => socket.end() });
    near.end();
    await once(near, 'close');
    relay.finish();
    await expect(nothingPending(clock)).resolves.toBeUndefined();
  });
});

/** On a clock that stands still: nothing is waited for. */
async function nothingPending(clock: FakeClock): Promise<void> {
  while (clock.pending() > 0) await new Promise((resolve) => setImmediate(resolve));
}

async function dialled(relay: Relay): Promise<void> {
  await once(connect(Number(new URL(relay.address).port), '127.0.0.1'), 'connect');
}
