import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/ports/errors.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { runElection } from '../../../src/reconcile/election.ts';
import type { ElectionEnd, ElectionOptions, Leadership } from '../../../src/reconcile/election.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { createFakeLeaderStore } from '../../support/fake-leader-lease.ts';
import type { FakeLeaderLease, FakeLeaderStore } from '../../support/fake-leader-lease.ts';

/** TTL 5 s, margin 1 s: the deadline is 4 s after the last successful renewal was sent. */
interface Replica {
  lease: FakeLeaderLease;
  stop: AbortController;
  /** Set while `lead` runs. */
  term?: Leadership;
  signal?: AbortSignal;
  end?: ElectionEnd;
  seen: string[];
  /** Ends the work by itself. */
  finish: (error?: Error) => void;
}

function startReplica(
  world: { clock: FakeClock; store: FakeLeaderStore },
  holder: string,
  options: Partial<ElectionOptions> = {},
): Replica {
  const work = Promise.withResolvers<void>();
  const replica: Replica = {
    lease: world.store.connect(),
    stop: new AbortController(),
    seen: [],
    finish: (error) => (error ? work.reject(error) : work.resolve()),
  };
  const run = async (): Promise<void> => {
    replica.end = await runElection(
      {
        lease: replica.lease,
        holder,
        clock: world.clock,
        logger: silentLogger,
        metrics: noMetrics,
        async lead(term, signal) {
          replica.term = term;
          replica.signal = signal;
          signal.addEventListener('abort', () => work.resolve());
          await work.promise;
          delete replica.term;
        },
        onNewLeader: (leader) => replica.seen.push(leader),
        ...options,
      },
      replica.stop.signal,
    );
  };
  void run();
  return replica;
}

function newWorld(): { clock: FakeClock; store: FakeLeaderStore } {
  const clock = createFakeClock();
  return { clock, store: createFakeLeaderStore(clock) };
}

describe('an election', () => {
  it('lets one lead while it renews, and tells the others who', async () => {
    const world = newWorld();
    const a = startReplica(world, 'a');
    await world.clock.advance(10);
    const b = startReplica(world, 'b');
    await world.clock.advance(60_000);
    expect(a.term?.isLeading()).toBe(true);
    expect(b.term).toBeUndefined();
    expect(b.seen).toEqual(['a']);
  });

  it.each([
    ['calls fail', 'reject'],
    ['calls hang', 'hang'],
    ['renewals are carried out but their replies are lost', 'dropReplies'],
  ] as const)('stops leading 4 s after the last answered renewal was sent when %s', async (_name, state) => {
    const world = newWorld();
    const a = startReplica(world, 'a');
    await world.clock.advance(3_000);
    const term = a.term;
    a.lease.network(state);
    await world.clock.advance(3_999);
    expect(term?.isLeading()).toBe(true);
    expect(a.signal?.aborted).toBe(false);
    await world.clock.advance(1);
    expect(term?.isLeading()).toBe(false);
    expect(a.signal?.aborted).toBe(true);
    expect(a.end).toEqual({ reason: 'lost', cause: 'no renewal succeeded in time', settled: true });
  });

  it('never has two leaders when the first is cut off, and the second leads when the lease has run out', async () => {
    const world = newWorld();
    const a = startReplica(world, 'a');
    await world.clock.advance(10);
    const b = startReplica(world, 'b');
    await world.clock.advance(2_000);
    a.lease.network('hang');
    let waitedMs = 0;
    while (!b.term && waitedMs < 20_000) {
      await world.clock.advance(10);
      waitedMs += 10;
      const leading = [a, b].filter((replica) => replica.term?.isLeading());
      expect(leading.length).toBeLessThanOrEqual(1);
    }
    expect(waitedMs).toBeLessThanOrEqual(5_010);
    expect(a.end?.reason).toBe('lost');
    expect(world.store.holder()).toBe('b');
  });

  it('survives a failure that is shorter than the deadline', async () => {
    const world = newWorld();
    const a = startReplica(world, 'a');
    await world.clock.advance(1_000);
    a.lease.network('reject');
    await world.clock.advance(3_500);
    a.lease.network('well');
    await world.clock.advance(60_000);
    expect(a.term?.isLeading()).toBe(true);
  });

  it('counts from when a renewal was sent, not from when it was answered', async () => {
    const world = newWorld();
    const a = startReplica(world, 'a');
    await world.clock.advance(500);
    a.lease.network('hang');
    // Sent at 1 s, 2 s and 3 s; all answered at 3.5 s.
    await world.clock.advance(3_000);
    const startMs = (a.term?.deadlineMs() ?? 0) - 4_000;
    a.lease.network('well');
    await world.clock.advance(0);
    expect((a.term?.deadlineMs() ?? 0) - startMs).toBe(3_000 + 4_000);
  });

  it('does not come back when a renewal is answered after the deadline', async () => {
    const world = newWorld();
    const a = startReplica(world, 'a');
    await world.clock.advance(500);
    const term = a.term;
    a.lease.network('hang');
    await world.clock.advance(4_000);
    a.lease.network('well');
    await world.clock.advance(10_000);
    expect(term?.isLeading()).toBe(false);
    expect(a.end?.reason).toBe('lost');
    expect(a.term).toBeUndefined();
  });

  it('knows at its first look after having been stopped that its time is over, before any timer ran', async () => {
    const clock = createFakeClock();
    let sleptMs = 0;
    const leaps = { ...clock, monotonicMs: () => clock.monotonicMs() + sleptMs };
    const world = { clock: leaps, store: createFakeLeaderStore(clock) };
    const a = startReplica(world, 'a');
    await clock.advance(100);
    const term = a.term;
    expect(term?.isLeading()).toBe(true);
    sleptMs = 4_000;
    expect(term?.isLeading()).toBe(false);
    expect(a.signal?.aborted).toBe(true);
    expect(errorOf(() => term?.requireLeading())).toBe('Aborted');
    await clock.advance(0);
    expect(a.end?.reason).toBe('lost');
  });

  it('stops at once when the store says that the lease or the key is gone', async () => {
    const world = newWorld();
    const a = startReplica(world, 'a');
    await world.clock.advance(500);
    world.store.deleteKey();
    await world.clock.advance(500);
    expect(a.signal?.aborted).toBe(true);
    expect(a.end).toMatchObject({ reason: 'lost', settled: true });
  });

  it('gives the lease up at a clean stop, after the work has ended, so that the next leads at once', async () => {
    const world = newWorld();
    const a = startReplica(world, 'a', { lead: (_term, signal) => untilAborted(signal, world.clock, 300) });
    await world.clock.advance(10);
    const b = startReplica(world, 'b');
    await world.clock.advance(1_000);
    a.stop.abort();
    await world.clock.advance(299);
    expect(world.store.holder()).toBe('a');
    await world.clock.advance(1);
    expect(a.end).toEqual({ reason: 'stopped', settled: true });
    expect(b.term?.isLeading()).toBe(true);
  });

  it('renews while the work winds down', async () => {
    const world = newWorld();
    let term: Leadership | undefined;
    const a = startReplica(world, 'a', {
      lead(held, signal) {
        term = held;
        return untilAborted(signal, world.clock, 9_000);
      },
    });
    await world.clock.advance(10);
    a.stop.abort();
    await world.clock.advance(8_900);
    expect(term?.isLeading()).toBe(true);
    await world.clock.advance(200);
    expect(term?.isLeading()).toBe(false);
    expect(a.end).toEqual({ reason: 'stopped', settled: true });
    expect(world.store.holder()).toBeUndefined();
  });

  it('leaves the lease to run out when the work does not end in time', async () => {
    const world = newWorld();
    const a = startReplica(world, 'a', { lead: () => new Promise(() => undefined), settleMs: 2_000 });
    await world.clock.advance(10);
    a.stop.abort();
    await world.clock.advance(2_000);
    expect(a.end).toEqual({ reason: 'stopped', settled: false });
    expect(world.store.holder()).toBe('a');
    await world.clock.advance(5_000);
    expect(world.store.holder()).toBeUndefined();
  });

  it.each([
    ['ends', undefined, { reason: 'finished', settled: true }],
    ['throws', new Error('broken'), { reason: 'failed', error: new Error('broken'), settled: true }],
  ])('gives the lease up when the work %s by itself', async (_name, error, end) => {
    const world = newWorld();
    const a = startReplica(world, 'a');
    await world.clock.advance(10);
    a.finish(error);
    await world.clock.advance(0);
    expect(a.end).toEqual(end);
    expect(world.store.holder()).toBeUndefined();
  });

  it('goes on campaigning while the store cannot be reached', async () => {
    const world = newWorld();
    const a = startReplica(world, 'a');
    a.lease.network('reject');
    await world.clock.advance(30_000);
    expect(a.term).toBeUndefined();
    a.lease.network('well');
    await world.clock.advance(1_000);
    expect(a.term?.isLeading()).toBe(true);
  });

  it('gives back a lease whose acquisition took longer than it is worth, and leads with the next', async () => {
    const world = newWorld();
    const a = startReplica(world, 'a');
    a.lease.network('hang');
    await world.clock.advance(4_500);
    a.lease.network('well');
    await world.clock.advance(0);
    expect(a.term?.isLeading()).toBe(true);
    expect(a.term?.createRevision).toBe(3);
  });

  it('stops while it campaigns or waits, and leaves no timer behind', async () => {
    const world = newWorld();
    const a = startReplica(world, 'a');
    await world.clock.advance(10);
    const b = startReplica(world, 'b');
    await world.clock.advance(2_000);
    b.stop.abort();
    a.stop.abort();
    await world.clock.advance(0);
    expect([a.end, b.end]).toEqual([
      { reason: 'stopped', settled: true },
      { reason: 'stopped', settled: true },
    ]);
    expect(world.clock.pending()).toBe(0);
  });
});

function errorOf(run: () => void): string {
  try {
    run();
    return 'none';
  } catch (error) {
    return errorCode(error);
  }
}

function untilAborted(signal: AbortSignal, clock: FakeClock, afterMs: number): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => clock.schedule(afterMs, resolve), { once: true });
  });
}
