import type { Storage, StorageEvent, WriteResult } from '../../../src/ports/storage.ts';
import { errorCode } from '../../../src/ports/errors.ts';
import { revisionOf } from './follower.ts';

/** A write that a test made, and what it was told. */
export interface Attempt {
  key: string;
  /** Absent: delete. */
  value?: string;
  expected: number;
  outcome:
    | { is: 'done'; modRevision: number }
    | { is: 'refused' }
    | { is: 'unknown' }
    | { is: 'failed'; code: string };
}

/** Makes a write and records what its caller learns. */
export async function attemptWrite(storage: Storage, write: Omit<Attempt, 'outcome'>): Promise<Attempt> {
  const { key, value, expected } = write;
  try {
    const result =
      value === undefined
        ? await storage.delete(key, expected)
        : await storage.put(key, Buffer.from(value), expected);
    return { ...write, outcome: outcomeOf(result) };
  } catch (error) {
    const code = errorCode(error);
    return { ...write, outcome: code === 'Timeout' ? { is: 'unknown' } : { is: 'failed', code } };
  }
}

function outcomeOf(result: WriteResult): Attempt['outcome'] {
  return result.ok ? { is: 'done', modRevision: result.modRevision } : { is: 'refused' };
}

/**
 * Compares what callers were told with what the store did. Values must be unique among the attempts.
 * @returns one sentence for each lie; empty when every answer was true
 */
export function findLies(attempts: readonly Attempt[], truth: readonly StorageEvent[]): string[] {
  const byRevision = new Map(truth.map((event) => [revisionOf(event), event]));
  const byValue = Map.groupBy(truth, (event) => (event.type === 'put' ? event.entry.value.toString() : ''));
  const claimed = new Set<number>();
  return attempts.flatMap((attempt) => {
    const { key, value, outcome } = attempt;
    const carriedOut = value === undefined ? [] : (byValue.get(value) ?? []).map(revisionOf);
    const lies: string[] = [];
    if (carriedOut.length > 1) lies.push(`${key}=${value} was carried out at ${carriedOut.join(' and ')}`);
    if (outcome.is === 'done') {
      const { modRevision } = outcome;
      if (!isOf(attempt, byRevision.get(modRevision))) lies.push(`${key}=${value} is not at ${modRevision}`);
      if (claimed.has(modRevision)) lies.push(`${modRevision} was acknowledged to two writers`);
      claimed.add(modRevision);
    }
    const saidNo = outcome.is === 'refused' || outcome.is === 'failed';
    if (saidNo && carriedOut.length > 0) {
      lies.push(`${key}=${value}: ${outcome.is}, but carried out at ${carriedOut.join()}`);
    }
    return lies;
  });
}

function isOf(attempt: Attempt, event: StorageEvent | undefined): boolean {
  if (event?.type === 'delete') return attempt.value === undefined && event.key === attempt.key;
  return event?.entry.key === attempt.key && event.entry.value.toString() === attempt.value;
}

/** Numbers in [0, 1) that are the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
