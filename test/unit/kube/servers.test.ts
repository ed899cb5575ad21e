import { describe, expect, it } from '@jest/globals';
import { createServerOrder } from '../../../src/kube/servers.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const ALL = ['a', 'b', 'c'];

describe('the order of API servers', () => {
  it('is that of the list, but for the one that worked last', () => {
    const order = createServerOrder(createFakeClock());
    expect(order.ranked(ALL)).toEqual(['a', 'b', 'c']);
    order.worked('c');
    expect(order.ranked(ALL)).toEqual(['c', 'a', 'b']);
  });

  it('has one that failed behind the others for a while, which doubles', async () => {
    const clock = createFakeClock();
    const order = createServerOrder(clock);
    order.worked('a');
    order.failed('a');
    expect(order.ranked(ALL)).toEqual(['b', 'c', 'a']);
    await clock.advance(1_000);
    expect(order.ranked(ALL)).toEqual(['a', 'b', 'c']);
    order.failed('a');
    await clock.advance(1_999);
    expect(order.ranked(ALL)[2]).toBe('a');
    await clock.advance(1);
    expect(order.ranked(ALL)[0]).toBe('a');
  });

  it('forgets failures of one that works, and bounds what it holds against one that never does', async () => {
    const clock = createFakeClock();
    const order = createServerOrder(clock);
    for (let time = 0; time < 20; time++) order.failed('a');
    await clock.advance(29_999);
    expect(order.ranked(ALL)[2]).toBe('a');
    await clock.advance(1);
    expect(order.ranked(ALL)[0]).toBe('a');
    order.failed('a');
    order.worked('a');
    expect(order.ranked(ALL)[0]).toBe('a');
  });

  it('leaves none out when all have failed: first the one whose time is up first', () => {
    const order = createServerOrder(createFakeClock());
    for (const server of ['a', 'a', 'b', 'c', 'c']) order.failed(server);
    expect(order.ranked(ALL)).toEqual(['b', 'a', 'c']);
  });
});
