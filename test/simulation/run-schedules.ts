import { expect, it } from '@jest/globals';
import { drawSchedule } from './schedule.ts';
import { shrink, simulate } from './simulate.ts';

/** How many schedules `npm test` runs in all; the test files beside share them, so that both cores have work. */
const SCHEDULES = 20_000;

/** One test over the `part`-th of `parts` parts of the schedules. On a failure it prints the smallest trace. */
export function runSchedules(part: number, parts: number): void {
  it(`keeps every promise in ${SCHEDULES / parts} random schedules of faults`, () => {
    let moves = 0;
    let broken = '';
    for (let seed = part; seed < SCHEDULES && broken === ''; seed += parts) {
      const outcome = simulate(drawSchedule(seed));
      moves += outcome.moves;
      if (outcome.violations.length > 0) broken = explain(seed);
    }
    expect(broken).toBe('');
    // Schedules in which nothing ever moves would prove nothing.
    expect(moves).toBeGreaterThan(SCHEDULES / parts / 20);
  }, 600_000);
}

function explain(seed: number): string {
  const smallest = shrink(drawSchedule(seed));
  const { violations, trace } = simulate(smallest, { trace: true });
  return [`seed ${seed}: ${violations.join('; ')}`, JSON.stringify(smallest.faults), ...trace].join('\n');
}
