import { dirname, join } from 'node:path';
import type { Clock } from '../ports/clock.ts';
import type { Machine } from './live.ts';

/** What a root holds, for the percent of a first pass: the daemons do not know it of `dir`, nor of btrfs without quotas. */
const LIMIT_MS = 5_000;
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** Asked once in so long: offers after the first are in a hurry. */
const VALID_MS = 600_000;

/** @param socketPath of the daemon, in whose folder its pools are */
export function createRootSize({ machine, clock }: { machine: Machine; clock: Clock }, socketPath: string) {
  const known = new Map<string, { bytes: number | undefined; untilMs: number }>();
  /** @returns undefined where it cannot be found out, or not soon */
  return async (pool: string, name: string, signal: AbortSignal): Promise<number | undefined> => {
    const nowMs = clock.monotonicMs();
    for (const [path, { untilMs }] of known) if (untilMs <= nowMs) known.delete(path);
    const root = join(dirname(socketPath), 'storage-pools', pool, 'containers', name);
    const found = known.get(root);
    if (found !== undefined) return found.bytes;
    const bytes = await sizeOf(machine, root, signal);
    known.set(root, { bytes, untilMs: nowMs + VALID_MS });
    return bytes;
  };
}

async function sizeOf(machine: Machine, root: string, signal: AbortSignal): Promise<number | undefined> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  try {
    const bytes = Number.parseInt(await machine.run('du', ['-sx', '--block-size=1', root], PATH, within), 10);
    return bytes > 0 ? bytes : undefined;
  } catch {
    // Progress without a percent is better than a move that waits for one.
    return undefined;
  }
}
