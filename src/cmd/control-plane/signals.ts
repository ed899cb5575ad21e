import { messageOf } from '../../ports/errors.ts';

/**
 * Runs a process that goes on until the first SIGTERM or SIGINT, which is a clean stop (exit code 0). When `run` throws, the
 * process exits at once with code 1 and the message, whatever still runs in it: a leader that lost its lease must end.
 */
export async function runUntilStopped(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort());
  try {
    await run(stop.signal);
  } catch (error) {
    process.stderr.write(`hostler: ${messageOf(error)}\n`);
    process.exit(1);
  }
  process.exit(0);
}
