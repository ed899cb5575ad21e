import { describe, expect, it } from '@jest/globals';
import { array, assert, integer, property, record } from 'fast-check';
import { createKeeper, emptyMemory } from '../../../src/guard/keeper.ts';
import { defaultTiming } from '../../../src/plan/failover/timing.ts';
import type { GuardLease } from '../../../src/ports/guard.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const web = { instance: 'web--default', uid: 'u1', term: 3 };

function createWorld() {
  const clock = createFakeClock();
  const keeper = createKeeper(clock, emptyMemory);
  const lease = (leftMs: number, more: Partial<GuardLease> = {}): GuardLease => ({
    term: 3,
    deadlineMs: clock.monotonicMs() + leftMs,
    wallDeadlineMs: clock.nowMs() + leftMs,
    revoked: false,
    timing: defaultTiming,
    liveUntilMs: -Infinity,
    startMarginMs: 2_000,
    ...more,
  });
  return { clock, keeper, lease };
}

describe('the keeper of a guard', () => {
  it('permits nothing and lets nothing run before it is armed', () => {
    const { keeper } = createWorld();
    keeper.order({ containers: [web] });
    expect(keeper.mayStart(web)).toBe(false);
    expect(keeper.due()?.containers).toEqual([web]);
  });

  it('lets its containers run until the deadline, and gives the daemon a part of the fence delay then', async () => {
    const { clock, keeper, lease } = createWorld();
    keeper.order({ lease: lease(5_000), containers: [web] });
    await clock.advance(4_999);
    expect(keeper.due()).toBeUndefined();
    await clock.advance(1);
    expect(keeper.due()).toEqual({ containers: [web], daemonMs: 1_000 });
    await clock.advance(1_000);
    expect(keeper.due()?.daemonMs).toBe(0);
  });

  it('leaves the daemon less time where the fence delay is short', async () => {
    const { clock, keeper, lease } = createWorld();
    keeper.order({
      lease: lease(1_000, { timing: { ...defaultTiming, fenceDelayMs: 600 } }),
      containers: [web],
    });
    await clock.advance(1_000);
    expect(keeper.due()?.daemonMs).toBe(200);
  });

  it.each([
    ['one that it does not know', { ...web, instance: 'other--default' }],
    ['an earlier Container of the name', { ...web, uid: 'u0' }],
    ['one of an earlier term', { ...web, term: 2 }],
  ])('does not permit the start of %s', (_what, container) => {
    const { keeper, lease } = createWorld();
    keeper.order({ lease: lease(5_000), containers: [web] });
    expect(keeper.mayStart(container)).toBe(false);
    expect(keeper.mayStart(web)).toBe(true);
  });

  it('does not permit a start of a container whose placement is not of the present term', () => {
    const { keeper, lease } = createWorld();
    keeper.order({ lease: lease(5_000, { term: 4 }), containers: [web] });
    expect(keeper.mayStart(web)).toBe(false);
  });

  it('permits no start that could end after the deadline', async () => {
    const { clock, keeper, lease } = createWorld();
    keeper.order({ lease: lease(5_000), containers: [web] });
    await clock.advance(3_001);
    expect(keeper.mayStart(web)).toBe(false);
    expect(keeper.due()).toBeUndefined();
  });

  it('is expired on a machine that was suspended: only the wall clock has gone on', () => {
    const { clock, keeper, lease } = createWorld();
    keeper.order({ lease: lease(5_000), containers: [web] });
    clock.setWall(clock.nowMs() + 60_000);
    expect(keeper.due()?.daemonMs).toBe(0);
    expect(keeper.mayStart(web)).toBe(false);
  });

  it('gains nothing from a wall clock that is set back', async () => {
    const { clock, keeper, lease } = createWorld();
    keeper.order({ lease: lease(5_000), containers: [web] });
    clock.setWall(clock.nowMs() - 3_600_000);
    await clock.advance(5_000);
    expect(keeper.due()).toBeDefined();
  });

  it('stops everything at once when the lease was revoked, and permits again under a new term', () => {
    const { keeper, lease } = createWorld();
    keeper.order({ lease: lease(5_000), containers: [web] });
    keeper.order({
      lease: lease(5_000, { revoked: true, deadlineMs: -Infinity, wallDeadlineMs: -Infinity }),
    });
    expect(keeper.due()).toEqual({ containers: [web], daemonMs: 0 });
    keeper.order({ lease: lease(5_000, { term: 4 }), containers: [{ ...web, term: 4 }] });
    expect(keeper.due()).toBeUndefined();
    expect(keeper.mayStart({ ...web, term: 4 })).toBe(true);
  });

  it('lets everything run on once it was released, and starts nothing, until the next order', async () => {
    const { clock, keeper, lease } = createWorld();
    keeper.order({ lease: lease(5_000), containers: [web] });
    keeper.order({ released: true });
    await clock.advance(60_000);
    expect(keeper.due()).toBeUndefined();
    expect(keeper.mayStart(web)).toBe(false);
    keeper.order({ lease: lease(-1_000) });
    expect(keeper.due()).toBeDefined();
  });

  it('goes on with what the guard before it held', async () => {
    const { clock, keeper, lease } = createWorld();
    keeper.order({ lease: lease(5_000), containers: [web] });
    const next = createKeeper(clock, keeper.memory());
    expect(next.mayStart(web)).toBe(true);
    expect(next.report()).toMatchObject({ timing: defaultTiming, liveUntilMs: -Infinity });
    await clock.advance(5_000);
    expect(next.due()).toBeDefined();
  });

  it('never lets anything run past every deadline that it was given, whatever the order of orders', () => {
    const order = record({
      term: integer({ min: 1, max: 3 }),
      leftMs: integer({ min: -10, max: 100 }),
    });
    assert(
      property(array(order, { maxLength: 8 }), (orders) => {
        const { clock, keeper, lease } = createWorld();
        keeper.order({ containers: [web] });
        for (const { term, leftMs } of orders) keeper.order({ lease: lease(leftMs, { term }) });
        const latest = Math.max(...orders.map(({ leftMs }) => leftMs), 0);
        clock.setWall(clock.nowMs() + latest);
        return keeper.due() !== undefined && !keeper.mayStart(web);
      }),
    );
  });
});
