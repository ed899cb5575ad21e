import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, realpath, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '../../ports/clock.ts';
import { HostlerError } from '../../ports/errors.ts';
import { syncFolder, writeSynced } from '../../ports/durable-file.ts';
import { createSourceQueue } from './source-queue.ts';

/**
 * The folders of pools, as the host's own filesystem shows them. Whatever changes something below a Shared pool's `source`
 * first reads the marker there: what is no longer mounted is not written to, and nothing outside of it is ever removed.
 * A network filesystem whose server is away may never answer: each call has a deadline, calls on one source are made one
 * after the other, and while one hangs there are no more.
 */
export interface HostFolders {
  /** @returns why nothing is mounted at `source`; undefined when something is */
  mountFault(source: string): Promise<string | undefined>;
  /** Marks the filesystem as that of `uid` unless it is marked already, atomically. @returns whose it is now */
  claim(source: string, uid: string): Promise<string>;
  /** Takes the mark of `uid` off, and the notes; folders are removed only when they are empty. */
  release(source: string, uid: string): Promise<void>;
  /** A note of `writeNote`, whoever wrote it; undefined: there is none. */
  readNote(source: string, name: string): Promise<string | undefined>;
  /** On the disk, whole, when it resolves. */
  writeNote(source: string, name: string, text: string): Promise<void>;
  usage(source: string): Promise<{ totalBytes: number; usedBytes: number }>;
  /** Makes sure that the folder is there. @param uid of the marker; undefined: a pool of this host. @returns its path */
  ensure(folder: PoolFolder): Promise<string>;
  /** @returns the names of what is in it; undefined: there is no such folder */
  list(folder: PoolFolder): Promise<string[] | undefined>;
  /** Whether there is a file of that name, relative to the folder. */
  has(folder: PoolFolder, file: string): Promise<boolean>;
  /** Renames the folder, if it is there, so that the next `ensure` begins anew. @returns its new path */
  setAside(folder: PoolFolder): Promise<string | undefined>;
  /** Removes the folder and all that is in it. */
  remove(folder: PoolFolder): Promise<void>;
  /** Unmounts what is mounted at a folder called `name`, as a daemon does for its pool of that name. */
  unmountPool(name: string): Promise<void>;
}

/** A folder in a pool; `path` is relative to the pool's source and plain. */
export interface PoolFolder {
  source: string;
  /** Of the StoragePool, for a Shared one; undefined: it has no marker. */
  uid?: string;
  path: string;
}

const MARKER = '.hostler-pool';
const NOTES = '.hostler-nodes';
const DEADLINE_MS = 10_000;
const PLAIN_PATH = /^[a-z]+\/[a-z0-9_.-]+$/;
/** What is below it belongs to containers; only they and root pass. */
const PASS_THROUGH = 0o711;

export function openHostFolders(clock: Clock): HostFolders {
  const queued = createSourceQueue(clock, DEADLINE_MS);
  const inside = <T>({ source, uid, path }: PoolFolder, run: (full: string) => Promise<T>): Promise<T> =>
    queued(source, async () => {
      if (!PLAIN_PATH.test(path)) throw new HostlerError('Invalid', `${path} is no folder of a pool`);
      if (uid !== undefined) await requireMarker(source, uid);
      return await run(join(source, path));
    });
  return {
    mountFault: (source) => queued(source, () => mountFault(source)),
    claim: (source, uid) => queued(source, () => claim(source, uid)),
    release: (source, uid) => queued(source, () => release(source, uid)),
    readNote: (source, name) => queued(source, () => readText(join(source, NOTES, name))),
    writeNote: (source, name, text) =>
      queued(source, async () => {
        await mkdir(join(source, NOTES), { recursive: true, mode: 0o700 });
        await writeDurably(join(source, NOTES, name), text);
      }),
    usage: (source) =>
      queued(source, async () => {
        const { bsize, blocks, bfree } = await statfs(source);
        return { totalBytes: bsize * blocks, usedBytes: bsize * (blocks - bfree) };
      }),
    ensure: (folder) =>
      inside(folder, async (full) => {
        await mkdir(dirname(full), { recursive: true, mode: PASS_THROUGH });
        await mkdir(full, { recursive: true, mode: 0o755 });
        return full;
      }),
    list: (folder) =>
      inside(folder, async (full) => {
        try {
          return await readdir(full);
        } catch (error) {
          if (isCode(error, 'ENOENT')) return undefined;
          throw error;
        }
      }),
    has: (folder, file) =>
      inside(folder, async (full) => {
        try {
          return (await stat(join(full, file))).isFile();
        } catch (error) {
          if (isCode(error, 'ENOENT', 'ENOTDIR')) return false;
          throw error;
        }
      }),
    setAside: (folder) => inside(folder, (full) => moveAside(full, 'aside')),
    async remove(folder) {
      // Out of the way at once, so that nobody takes it for whole; what that leaves behind may take its time.
      const target = await inside(folder, (full) => moveAside(full, 'removed'));
      if (target !== undefined) await rm(target, { recursive: true, force: true });
    },
    unmountPool,
  };
}

/** @returns the new path; undefined: there was nothing */
async function moveAside(full: string, purpose: string): Promise<string | undefined> {
  const target = `${full}.${purpose}-${randomUUID().slice(0, 8)}`;
  try {
    await rename(full, target);
    return target;
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function mountFault(source: string): Promise<string | undefined> {
  try {
    const path = await realpath(source);
    const mountPoints = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map(mountPointOf);
    return mountPoints.includes(path) ? undefined : `Nothing is mounted at ${source}`;
  } catch (error) {
    if (isCode(error, 'ENOENT')) return `There is no folder ${source}`;
    throw error;
  }
}

/** https://docs.kernel.org/filesystems/proc.html: field 5, with white space and backslashes in octal. */
function mountPointOf(line: string): string {
  const encoded = line.split(' ')[4] ?? '';
  return encoded.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

async function claim(source: string, uid: string): Promise<string> {
  const path = join(source, MARKER);
  try {
    const file = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    try {
      await file.writeFile(`${uid}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncFolder(source);
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
  }
  const found = (await readText(path)) ?? '';
  // Somebody else has made it in this moment, or died between making it and writing.
  if (found === '')
    throw new HostlerError('Unavailable', `The marker ${path} is empty: remove it if it stays so`);
  return found;
}

async function release(source: string, uid: string): Promise<void> {
  if ((await readText(join(source, MARKER))) !== uid) return;
  await rm(join(source, NOTES), { recursive: true, force: true });
  for (const folder of ['volumes', 'roots']) {
    await rmdir(join(source, folder)).catch((error: unknown) => {
      if (!isCode(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) throw error;
    });
  }
  await rm(join(source, MARKER), { force: true });
}

/** @throws Unavailable when the filesystem of `uid` is not there (any more) */
async function requireMarker(source: string, uid: string): Promise<void> {
  const found = await readText(join(source, MARKER));
  if (found === uid) return;
  throw new HostlerError('Unavailable', `The filesystem of the storage pool is not mounted at ${source}`);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const temporaryPath = `${path}.${randomUUID()}`;
  await writeSynced(temporaryPath, `${text}\n`);
  await rename(temporaryPath, path);
  await syncFolder(dirname(path));
}

async function unmountPool(name: string): Promise<void> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  const mountPoints = lines
    .map(mountPointOf)
    .filter((path) => basename(path) === name && basename(dirname(path)) === 'storage-pools');
  for (const path of mountPoints) {
    await promisify(execFile)('umount', ['--', path], { timeout: DEADLINE_MS });
    await rmdir(path);
  }
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && codes.includes(String(error.code));
}
