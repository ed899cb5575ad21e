/** Runs schedules in a thread of its own (batch.ts), and says what came of them. */
import { parentPort, workerData } from 'node:worker_threads';
import { drawSchedule } from './draw.ts';
import { shrink, simulate } from './simulate.ts';
import type { BatchOrder, BatchResult } from './batch.ts';

function run({ from, until, step, isExplained }: BatchOrder): BatchResult {
  const result: BatchResult = { ran: 0, moves: 0, stops: 0, starts: 0, virtualMs: 0 };
  for (let seed = from; seed < until; seed += step) {
    const outcome = simulate(drawSchedule(seed));
    result.ran++;
    result.moves += outcome.moves;
    result.stops += outcome.stops;
    result.starts += outcome.starts;
    result.virtualMs += outcome.endedMs;
    const [violation] = outcome.violations;
    if (violation === undefined) continue;
    result.broken = { seed, violation, ...(isExplained ? { story: explain(seed) } : {}) };
    break;
  }
  return result;
}

/** The trace of as few faults as still break a promise. */
function explain(seed: number): string {
  const smallest = shrink(drawSchedule(seed));
  const { violations, trace } = simulate(smallest, { trace: true });
  return [`seed ${seed}: ${violations.join('; ')}`, JSON.stringify(smallest), ...trace].join('\n');
}

parentPort?.postMessage(run(workerData as BatchOrder), []);
