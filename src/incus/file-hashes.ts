import { stat } from 'node:fs/promises';
import { hashFile } from './download.ts';

/**
 * SHA-256 of files, read anew only when a file is another one or was written to, by its inode, size and times.
 * @returns of a path. @throws NotFound as hashFile
 */
export function createFileHashes(): (path: string, signal: AbortSignal) => Promise<string> {
  const known = new Map<string, { stamp: string; hash: string }>();
  return async (path, signal) => {
    // Before the bytes are read: what is written meanwhile has another stamp.
    const stamp = await stampOf(path);
    const last = known.get(path);
    if (stamp !== undefined && last?.stamp === stamp) return last.hash;
    const hash = await hashFile(path, signal);
    if (stamp !== undefined) known.set(path, { stamp, hash });
    return hash;
  };
}

/** @returns undefined for what cannot be looked at: reading it tells why */
async function stampOf(path: string): Promise<string | undefined> {
  const seen = await stat(path, { bigint: true }).catch(() => undefined);
  return seen && [seen.dev, seen.ino, seen.size, seen.mtimeNs, seen.ctimeNs].join(' ');
}
