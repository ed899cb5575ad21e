import { describe, expect, it } from '@jest/globals';
import { timingFaults } from '../../src/plan/failover/timing.ts';
import { runInParallel } from './batch.ts';
import { drawSchedule } from './draw.ts';
import { buildProgram } from './program.ts';
import { timings } from './schedule.ts';
import { simulate } from './simulate.ts';

/** How many schedules `npm test` runs. */
const SCHEDULES = 100_000;
/** One for each core of the smallest machine that the tests are meant for. */
const THREADS = 2;

describe('the protocol', () => {
  it(`keeps every promise in ${SCHEDULES} random schedules of faults`, async () => {
    const results = await runInParallel(await buildProgram(), {
      from: 0,
      until: SCHEDULES,
      threads: THREADS,
    });
    expect(results.map(({ broken }) => broken?.story ?? '').join('\n')).toBe('\n');
    const sum = (of: 'ran' | 'moves' | 'stops'): number =>
      results.reduce((total, result) => total + result[of], 0);
    expect(sum('ran')).toBe(SCHEDULES);
    // Schedules in which nothing ever moves would prove nothing.
    expect(sum('moves')).toBeGreaterThan(SCHEDULES / 5);
    expect(sum('stops')).toBeGreaterThan(SCHEDULES / 5);
  }, 900_000);
});

describe('a schedule', () => {
  it.each([8, 21, 34])('runs the same way each time: seed %d', (seed) => {
    const first = simulate(drawSchedule(seed), { trace: true });
    expect(first.trace.length).toBeGreaterThan(10);
    expect(simulate(drawSchedule(seed), { trace: true })).toEqual(first);
  });

  it.each(Object.entries(timings))('has only timings that an agent may state: %s', (_, timing) => {
    expect(timingFaults(timing)).toEqual([]);
  });
});
