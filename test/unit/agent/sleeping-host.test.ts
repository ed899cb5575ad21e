import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createNodeLease, type NodeLease } from '../../../src/agent/node/lease.ts';
import { sleep } from '../../../src/ports/clock.ts';
import { HostlerError } from '../../../src/ports/errors.ts';
import { silentLogger } from '../../../src/ports/logger.ts';
import { noMetrics } from '../../../src/ports/metrics.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

// A host that slept past its deadline may have been fenced meanwhile: in an outage its peers must not revive what it ran.
describe('an agent whose API is away', () => {
  let clock: ReturnType<typeof createFakeClock>;
  let isAway: boolean;
  let asked: number[];
  let answersAfterMs: number;
  let lease: NodeLease;
  let stop: AbortController;
  let ended: Promise<void>;

  beforeEach(async () => {
    clock = createFakeClock();
    isAway = false;
    asked = [];
    answersAfterMs = 0;
    stop = new AbortController();
    let revision = 1;
    let object: object = {
      metadata: { name: 'a', resourceVersion: '1' },
      spec: { holderIdentity: 'a', leaseTransitions: 1 },
    };
    const reply = async (): Promise<never> => {
      if (isAway) throw new HostlerError('Unavailable', 'nobody answers');
      return object as never;
    };
    lease = createNodeLease({
      nodeName: 'a',
      store: {
        get: reply,
        create: reply,
        update: async (_, next) => {
          await reply();
          object = { ...next, metadata: { ...next.metadata, resourceVersion: String(++revision) } };
          return object as never;
        },
      },
      clock,
      logger: silentLogger,
      metrics: noMetrics,
      guard: { atStart: async () => undefined, keeps: () => undefined, setLease: () => undefined },
      witnesses: {
        version: () => 1,
        onSaid: () => undefined,
        ask: async (_, signal) => {
          asked.push(clock.monotonicMs());
          if (answersAfterMs > 0) await sleep(clock, answersAfterMs, signal);
        },
      },
      takeBackWord: async () => undefined,
      onHeld: () => undefined,
      onTiming: () => undefined,
      onGuard: () => undefined,
      onStop: async () => undefined,
    });
    ended = lease.start(stop.signal);
    await clock.advance(3_000);
    expect(lease.isHeld()).toBe(true);
    isAway = true;
  });

  afterEach(async () => {
    stop.abort();
    await clock.advance(1);
    await ended;
  });

  it('asks its peers before its deadline', async () => {
    await clock.advance(3_500);
    expect(asked.length).toBeGreaterThan(0);
  });

  it.each([0, 70, 500])('asks four times a second, when answers take %d ms', async (takesMs) => {
    answersAfterMs = takesMs;
    await clock.advance(4_000);
    const gapsMs = asked.slice(1).map((atMs, index) => atMs - (asked[index] ?? 0));
    expect(gapsMs.length).toBeGreaterThan(5);
    expect(Math.max(...gapsMs)).toBeLessThanOrEqual(251);
  });

  it('does not ask them once its wall clock is past the deadline', async () => {
    await clock.advance(1_000);
    clock.setWall(clock.nowMs() + 60_000);
    await clock.advance(3_500);
    expect(asked).toEqual([]);
  });
});
