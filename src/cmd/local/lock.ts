import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { identityOf, isRunning, readIdentity } from './process.ts';

/**
 * Keeps a second `up` or `down` off the same state folder. The file holds the owner's line of /proc/PID/stat, so that the lock of
 * an owner that was killed counts for nothing.
 * @returns gives the lock up; idempotent
 * @throws Error that names the owner while it runs
 */
export function takeLock(path: string): () => void {
  for (;;) {
    try {
      const file = openSync(path, 'wx');
      writeSync(file, readFileSync('/proc/self/stat', 'utf8'));
      closeSync(file);
      return () => releaseLock(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = readIdentity(path);
    if (owner !== undefined && isRunning(owner)) {
      throw new Error(`Process ${owner.pid} is working on this cluster (${path}): wait for it, or end it`);
    }
    rmSync(path, { force: true });
  }
}

function releaseLock(path: string): void {
  const self = identityOf(process.pid);
  const owner = readIdentity(path);
  if (self !== undefined && owner?.pid === self.pid && owner.startTicks === self.startTicks) {
    rmSync(path, { force: true });
  }
}
