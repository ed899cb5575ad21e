import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readOrEmpty } from './process.ts';

/**
 * Control groups of a local cluster: `hostler-<cluster>/<compartment>` in every hierarchy of the machine, so that the
 * groups that liblxc makes for containers lie below it (it starts from the group of process 1 of its pid namespace), two
 * clusters never share one, and all of them can be removed by name. Works on cgroup v1, hybrid and v2.
 */

/** The mount points of all cgroup hierarchies of the machine. */
export function cgroupMounts(mounts: string = readFileSync('/proc/self/mounts', 'utf8')): string[] {
  return mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, path]) => path as string);
}

/** Whether limits are in v1 hierarchies, and v2, where there is one beside them, only counts processes and the like. */
function isHybrid(mounts: string = readFileSync('/proc/self/mounts', 'utf8')): boolean {
  return mounts.split('\n').some((line) => {
    const [, , type, options = ''] = line.split(' ');
    return type === 'cgroup' && options.split(',').includes('memory');
  });
}

/**
 * Makes the compartment's groups. Where all controllers are in the v2 hierarchy the processes go into a leaf `init.scope`, since
 * a group with processes cannot hand controllers on, and liblxc leaves just that name out when it looks for its base. On a
 * hybrid machine they do not: there liblxc must be able to put criu into the base itself.
 * @returns the groups that a process of the compartment must join
 */
export function createCgroups(cluster: string, compartment: string): string[] {
  return cgroupMounts().map((mount) => {
    const parent = join(mount, cluster);
    const group = join(parent, compartment);
    for (const path of [parent, group]) {
      mkdirSync(path, { recursive: true });
      inheritCpuset(path);
    }
    const controllers = readOrEmpty(join(mount, 'cgroup.controllers')).trim();
    if (controllers === '' || isHybrid()) return group;
    for (const path of [mount, parent, group]) handOn(path, controllers.split(' '));
    const leaf = join(group, 'init.scope');
    mkdirSync(leaf, { recursive: true });
    return leaf;
  });
}

/** Removes `name` (`<cluster>` or `<cluster>/<compartment>`) from every hierarchy; its processes must have ended. */
export async function removeCgroups(name: string): Promise<void> {
  const deadline = performance.now() + 5_000;
  for (const mount of cgroupMounts()) {
    // A group stays busy for a moment after its last process has ended.
    while (!removeTree(join(mount, name))) {
      if (performance.now() > deadline) throw new Error(`${join(mount, name)} still has processes`);
      await delay(20);
    }
  }
}

/** Lets what is frozen below `name` (a paused container, say) go on: before that, cgroup v1 does not let it end, killed or not. */
export function thawCgroups(name: string): void {
  for (const mount of cgroupMounts()) thawTree(join(mount, name));
}

/** Groups of `cluster` that exist. */
export function findCgroups(cluster: string): string[] {
  return cgroupMounts()
    .map((mount) => join(mount, cluster))
    .filter((path) => readOrEmpty(join(path, 'cgroup.procs')) !== '' || exists(path));
}

function exists(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    // No such group.
    return false;
  }
}

/** A new v1 cpuset has no processors, and takes no process until it has. */
function inheritCpuset(path: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readOrEmpty(join(path, 'cgroup.controllers')) !== '') return;
    const inherited = readOrEmpty(join(path, '..', file)).trim();
    if (inherited !== '' && readOrEmpty(join(path, file)).trim() === '')
      writeFileSync(join(path, file), inherited);
  }
}

function handOn(path: string, controllers: readonly string[]): void {
  for (const controller of controllers) {
    try {
      writeFileSync(join(path, 'cgroup.subtree_control'), `+${controller}`);
    } catch (error) {
      // A controller that the machine keeps for itself (real-time cpu, say) is one limit fewer, not a failure.
      if (!['EBUSY', 'EINVAL', 'ENOENT', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw error;
    }
  }
}

function thawTree(path: string): void {
  // Only v1 has this file, and a group only inherits being frozen, so that the outermost comes first.
  const state = join(path, 'freezer.state');
  if (!['', 'THAWED'].includes(readOrEmpty(state).trim())) writeIfThere(state, 'THAWED');
  for (const folder of foldersIn(path)) thawTree(join(path, folder));
}

function writeIfThere(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** The group has just gone, or never was there. */
function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function foldersIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** @returns false when a group is still busy */
function removeTree(path: string): boolean {
  try {
    const folders = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    if (!folders.every((folder) => removeTree(join(path, folder.name)))) return false;
    rmdirSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY') return false;
    throw error;
  }
}
