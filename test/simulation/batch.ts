import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export interface BatchOrder {
  /** Seeds from here on, each `step` further, below `until`; ends at the first that breaks a promise. */
  from: number;
  until: number;
  step: number;
  /** Whether a broken promise is told with the trace of the smallest schedule that breaks one. */
  isExplained: boolean;
}

export interface BatchResult {
  ran: number;
  moves: number;
  stops: number;
  starts: number;
  /** How long the clusters ran, by their own clocks. */
  virtualMs: number;
  broken?: { seed: number; violation: string; story?: string };
}

/** Runs a program (program.ts) in a thread. @throws when the thread fails */
export async function runBatch(program: string, order: BatchOrder): Promise<BatchResult> {
  const worker = new Worker(program, { eval: true, workerData: order });
  try {
    // Rejects on the thread's `error`.
    const [result] = (await once(worker, 'message')) as [BatchResult];
    return result;
  } finally {
    await worker.terminate();
  }
}

/** Shares the seeds below `until` among `threads`, each in turn. */
export async function runInParallel(
  program: string,
  { from, until, threads }: { from: number; until: number; threads: number },
): Promise<BatchResult[]> {
  return await Promise.all(
    Array.from({ length: threads }, (_, index) =>
      runBatch(program, { from: from + index, until, step: threads, isExplained: true }),
    ),
  );
}
