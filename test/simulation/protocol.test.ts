import { describe, expect, it } from '@jest/globals';
import { drawOutage, drawSchedule } from './schedule.ts';
import { simulate } from './simulate.ts';
import type { Breakage } from './node-actor.ts';

describe('an outage of the control plane', () => {
  it('stops no container, however long it lasts, also when agents are restarted during it', () => {
    for (let seed = 0; seed < 1_000; seed++) {
      const { stops, moves, violations } = simulate(drawOutage(seed));
      expect({ seed, stops, moves, violations }).toEqual({ seed, stops: 0, moves: 0, violations: [] });
    }
  }, 60_000);
});

describe('code that is broken on purpose is found', () => {
  const breakages: [string, Breakage][] = [
    ['an agent that starts without permission', { startWithoutPermission: true }],
    ['a guard that is frozen together with its agent', { guardFreezesWithAgent: true }],
    ['a leader that does not wait for fenceDelay', { skipFenceDelay: true }],
    ['a leader that revokes during an outage', { skipBrake: true }],
    ['a revocation that is not conditional', { revokeUnconditionally: true }],
  ];
  it.each(breakages)(
    '%s',
    (_, breakage) => {
      let seed = 0;
      while (seed < 20_000 && !doubleRun(seed, breakage)) seed++;
      expect(simulate(drawSchedule(seed), { breakage }).violations.join()).toContain('while it runs on');
      expect(simulate(drawSchedule(seed)).violations).toEqual([]);
    },
    60_000,
  );
});

describe('a schedule', () => {
  it('runs the same way each time', () => {
    const first = simulate(drawSchedule(8), { trace: true });
    expect(first.trace.length).toBeGreaterThan(10);
    expect(simulate(drawSchedule(8), { trace: true })).toEqual(first);
  });
});

function doubleRun(seed: number, breakage: Breakage): boolean {
  return simulate(drawSchedule(seed), { breakage }).violations.some((text) =>
    text.includes('while it runs on'),
  );
}
