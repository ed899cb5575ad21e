import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { localPaths } from '../../src/config/local.ts';
import { run } from '../../src/cmd/local/process.ts';

/**
 * The disk below each agent's state folder: a small file system of its own, which can be filled without hurting anything else
 * of the machine. It is mounted before the hosts are made, so that all of their namespaces have it, and outlives each of them.
 */
const SIZE = '16m';
const BLOCK = Buffer.alloc(4_096, 'x');
const FILLER = 'filler';

const folderOf = (stateDir: string, host: string): string =>
  join(localPaths(stateDir).compartments, host, 'agent');

export async function mountDisks(stateDir: string, hosts: readonly string[]): Promise<void> {
  for (const host of hosts) {
    const folder = folderOf(stateDir, host);
    mkdirSync(folder, { recursive: true });
    await run(['mount', '-t', 'tmpfs', '-o', `size=${SIZE},mode=700`, `agent-${host}`, folder]);
  }
}

export async function unmountDisks(stateDir: string, hosts: readonly string[]): Promise<void> {
  for (const host of hosts) await run(['umount', '-l', folderOf(stateDir, host)], { allowFailure: true });
}

/** Not a byte more can be written. @returns how many were */
export function fillDisk(stateDir: string, host: string): number {
  const file = openSync(join(folderOf(stateDir, host), FILLER), 'w');
  let bytes = 0;
  try {
    for (;;) bytes += writeSync(file, BLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    return bytes;
  } finally {
    closeSync(file);
  }
}

export function emptyDisk(stateDir: string, host: string): void {
  rmSync(join(folderOf(stateDir, host), FILLER), { force: true });
}
