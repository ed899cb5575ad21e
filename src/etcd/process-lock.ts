import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HostlerError } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import { endProcess, findByArgument, identify, isAlive } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

/**
 * One supervisor for one data folder. `supervisor.json` names it by pid and start time; an etcd that outlived a killed
 * supervisor is found by its exact `--data-dir` argument and ended, since it holds the files and the port.
 */
const lockName = 'supervisor.json';

/** @throws Conflict when another supervisor has the folder; Unavailable when its etcd cannot be ended */
export async function takeFolder(
  folder: string,
  etcdArgument: string,
  logger: Logger,
): Promise<{ release(): Promise<void> }> {
  const path = join(folder, lockName);
  const owner = await readLock(path);
  const self = await identify(process.pid);
  if (!self) throw new HostlerError('Internal', 'Cannot read /proc: the embedded etcd needs Linux');
  const isOther = owner && (owner.pid !== self.pid || owner.startTicks !== self.startTicks);
  if (isOther && (await isAlive(owner))) {
    throw new HostlerError('Conflict', `Cannot use ${folder}: process ${owner.pid} runs an etcd on it`);
  }
  await writeLock(path, self);
  for (const leftover of await findByArgument(etcdArgument)) {
    if (leftover.pid === self.pid) continue;
    logger.info({ pid: leftover.pid }, 'ending the etcd that a killed server left behind');
    if (await endProcess(leftover, 5_000)) continue;
    throw new HostlerError('Unavailable', `Cannot end process ${leftover.pid}, an etcd that uses ${folder}`);
  }
  return { release: () => rm(path, { force: true }) };
}

async function readLock(path: string): Promise<ProcessIdentity | undefined> {
  try {
    const lock = JSON.parse(await readFile(path, 'utf8')) as Partial<ProcessIdentity>;
    if (typeof lock.pid !== 'number' || typeof lock.startTicks !== 'string') return undefined;
    return { pid: lock.pid, startTicks: lock.startTicks };
  } catch (error) {
    const isUnreadable = error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (isUnreadable) return undefined;
    throw error;
  }
}

async function writeLock(path: string, self: ProcessIdentity): Promise<void> {
  const draft = `${path}.${self.pid}`;
  await writeFile(draft, JSON.stringify(self), { mode: 0o600 });
  await rename(draft, path);
}
