import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identify, isAlive, type ProcessIdentity } from '../../etcd/process-identity.ts';
import { HostlerError } from '../../ports/errors.ts';

const LOCK = 'server.lock';

/**
 * Takes `dir` for this process: one server for each data folder. The lock names its owner by pid and start time, so that
 * one left behind by a killed server, whose pid is somebody else's by now, keeps nobody out.
 * @returns gives it back
 * @throws Conflict when another server that still runs has it
 */
export async function takeDataDir(dir: string): Promise<() => Promise<void>> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const path = join(dir, LOCK);
  const owner = await readOwner(path);
  if (owner !== undefined && owner.pid !== process.pid && (await isAlive(owner))) {
    throw new HostlerError('Conflict', `${dir} is in use by another server: process ${owner.pid}`);
  }
  const self = await identify(process.pid);
  if (self === undefined) throw new HostlerError('Internal', 'Cannot read /proc: hostler server needs Linux');
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, JSON.stringify(self), { mode: 0o600 });
  await rename(draft, path);
  return () => rm(path, { force: true });
}

/** A lock that cannot be read was not finished by its owner, who died. */
async function readOwner(path: string): Promise<ProcessIdentity | undefined> {
  try {
    const { pid, startTicks } = JSON.parse(await readFile(path, 'utf8')) as Partial<ProcessIdentity>;
    return typeof pid === 'number' && typeof startTicks === 'string' ? { pid, startTicks } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
