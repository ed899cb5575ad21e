import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { clusterId, checkStateDir, IMAGES_DIR, localPaths } from '../../config/local.ts';
import { findCgroups, removeCgroups } from './cgroup.ts';
import { MARK, stopCompartment } from './compartment.ts';
import { allPids, endProcess, identityOf, type ProcessIdentity, readOrEmpty } from './process.ts';

/**
 * Ends a cluster from what is on disk and in /proc alone: whoever made it may have been killed half-way. Compartments are
 * found by their folders, and whatever is left by the mark in its environment.
 */
export async function tearDown(stateDir: string, options: { keepState?: boolean } = {}): Promise<void> {
  checkStateDir(stateDir);
  await Promise.all(compartmentNames(stateDir).map((name) => stopCompartment(stateDir, name)));
  // A holder whose creator was killed may have started after its folder was looked at.
  for (let left = markedProcesses(stateDir); left.length > 0; left = markedProcesses(stateDir)) {
    for (const identity of left) await endProcess(identity, 0);
  }
  await removeCgroups(clusterId(stateDir));
  if (options.keepState === true) removeSockets(stateDir);
  else removeFiles(stateDir);
}

function removeSockets(stateDir: string): void {
  const own = compartmentNames(stateDir).map((name) =>
    join(localPaths(stateDir).compartments, name, 'api.sock'),
  );
  for (const path of [localPaths(stateDir).apiSocket, ...own]) rmSync(path, { force: true });
}

/** What is left of the cluster outside of its state folder; empty after `tearDown`. For tests. */
export function findLeaks(stateDir: string): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return [
    ...processesOf(stateDir).map(({ pid }) => `process ${pid}: ${commandOf(pid)}`),
    ...mounts.filter((line) => line.includes(`${stateDir}/`)).map((line) => `mount ${line}`),
    ...findCgroups(clusterId(stateDir)).map((path) => `control group ${path}`),
  ];
}

/** Folders of compartments that were begun. */
export function compartmentNames(stateDir: string): string[] {
  const { compartments } = localPaths(stateDir);
  return existsSync(compartments) ? readdirSync(compartments) : [];
}

function markedProcesses(stateDir: string): ProcessIdentity[] {
  const mark = `${MARK}=${stateDir}:`;
  return identities((pid) =>
    readOrEmpty(`/proc/${pid}/environ`)
      .split('\0')
      .some((entry) => entry.startsWith(mark)),
  );
}

/** The marked ones, and all that have a file system below the state folder mounted in whatever namespace they are. */
function processesOf(stateDir: string): ProcessIdentity[] {
  const marked = new Set(markedProcesses(stateDir).map(({ pid }) => pid));
  return identities(
    (pid) => marked.has(pid) || readOrEmpty(`/proc/${pid}/mountinfo`).includes(`${stateDir}/`),
  );
}

function identities(matches: (pid: number) => boolean): ProcessIdentity[] {
  return allPids()
    .filter((pid) => pid !== process.pid && matches(pid))
    .map(identityOf)
    .filter((identity) => identity !== undefined);
}

function commandOf(pid: number): string {
  return readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
}

/**
 * The folder that the images' folder is in stays: hosts of other clusters have theirs mounted there, and removing a mount
 * point takes the mount away in all namespaces.
 */
function removeFiles(stateDir: string): void {
  if (stateDir !== dirname(IMAGES_DIR)) {
    rmSync(stateDir, { recursive: true, force: true });
    return;
  }
  for (const name of existsSync(stateDir) ? readdirSync(stateDir) : []) {
    rmSync(join(stateDir, name), { recursive: true, force: true });
  }
}

/** Whether nothing but what a cluster makes lies in the folder: only such a folder is ever removed. */
export function isClusterFolder(stateDir: string): boolean {
  const known = new Set(Object.values(localPaths(stateDir)).map((path) => path.slice(stateDir.length + 1)));
  return readdirSync(stateDir).every((name) => known.has(name.replace(/\.new$/, '')));
}
