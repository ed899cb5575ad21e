import { describe, expect, it } from '@jest/globals';
import { simulate } from './simulate.ts';

const FIRST = Number(process.env['SEED'] ?? 1);
const SCHEDULES = Number(process.env['SCHEDULES'] ?? 60);

describe('migrations under faults', () => {
  it('keep one runnable copy with all its data, and end', async () => {
    const ends = new Map<string, number>();
    let moves = 0;
    for (let seed = FIRST; seed < FIRST + SCHEDULES; seed += 1) {
      const { broken, phases, nodes } = await simulate(seed);
      expect({ seed, broken: broken.slice(0, 3) }).toEqual({ seed, broken: [] });
      moves += nodes - 1;
      for (const phase of phases) ends.set(phase, (ends.get(phase) ?? 0) + 1);
    }
    // What never happens is not tested.
    expect(moves).toBeGreaterThan(SCHEDULES / 4);
    expect([...ends.keys()]).toEqual(expect.arrayContaining(['Succeeded', 'Failed']));
  }, 600_000);
});
