import { expect, it } from '@jest/globals';
import { runBatch } from './batch.ts';
import { TURNS } from './draw.ts';
import { mutants } from './mutants.ts';
import { buildProgram } from './program.ts';

/** How many schedules each gets at the most. */
const AT_MOST = 20_000;

it.each(mutants.map((mutant) => [mutant.name, mutant] as const))(
  'the schedules find %s',
  async (_, { patches, family, says }) => {
    const program = await buildProgram(patches);
    const step = family === undefined ? 1 : TURNS;
    const order = { from: family ?? 0, until: AT_MOST * step, step, isExplained: false };
    const { broken } = await runBatch(program, order);
    expect(broken?.violation ?? '').toMatch(says);
  },
  300_000,
);
