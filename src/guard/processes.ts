import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { HostlerError } from '../ports/errors.ts';

/**
 * The processes of containers, found without their daemon. liblxc keeps one monitor for each container, a process in the
 * daemon's own pid namespace that is called `[lxc monitor] <folder> <name>`; its child in another pid namespace is the
 * container's init, with which the kernel ends everything else in there. Before the monitor there is the daemon's
 * `forkstart`. Only processes of the guard's own pid namespace are ever asked for their command line: one inside a
 * container can make that call hang.
 */
export interface ContainerProcesses {
  /** Process 1 of the container; undefined while it has none. */
  init?: number;
  /** Processes that are about to make one. */
  starting: readonly number[];
}

export interface ProcessFinder {
  /** Those of `instances` that have any process, by name. */
  find(instances: ReadonlySet<string>): Map<string, ContainerProcesses>;
}

/**
 * @param lxcPath the folder in the monitors' titles: `/var/lib/incus/containers`
 * @throws HostlerError Forbidden when this process may not look at others': as a guard it would be blind
 */
export function createProcessFinder(lxcPath: string, proc = '/proc'): ProcessFinder {
  try {
    linkOf(`${proc}/1/ns/pid`);
  } catch (error) {
    const message =
      'The guard may not look at the processes of others: it needs CAP_SYS_PTRACE, and CAP_KILL to end them';
    throw new HostlerError('Forbidden', message, { cause: error });
  }
  return {
    find(instances) {
      const own = linkOf(`${proc}/self/ns/pid`);
      const found = new Map<string, { monitor?: number; forkstart?: number }>();
      for (const pid of pidsIn(proc)) {
        if (linkOf(`${proc}/${pid}/ns/pid`) !== own) continue;
        const role = roleOf(textOf(`${proc}/${pid}/cmdline`), lxcPath);
        if (role === undefined || !instances.has(role.instance)) continue;
        found.set(role.instance, { ...found.get(role.instance), [role.is]: pid });
      }
      const result = new Map<string, ContainerProcesses>();
      for (const [instance, { monitor, forkstart }] of found) {
        const init = monitor === undefined ? undefined : initOf(proc, monitor, own);
        // A monitor without an init and without a forkstart runs the hooks after an end: it is left to them.
        const starting =
          forkstart === undefined ? [] : [forkstart, ...(monitor === undefined ? [] : [monitor])];
        if (init !== undefined) result.set(instance, { init, starting });
        else if (starting.length > 0) result.set(instance, { starting });
      }
      return result;
    },
  };
}

/** What a command line says about a container of the folder `lxcPath`. */
export function roleOf(
  commandLine: string,
  lxcPath: string,
): { is: 'monitor' | 'forkstart'; instance: string } | undefined {
  const monitor = `[lxc monitor] ${lxcPath} `;
  if (commandLine.startsWith(monitor)) {
    return { is: 'monitor', instance: commandLine.slice(monitor.length).replace(/[\0 ]+$/, '') };
  }
  const [, command, instance, path] = commandLine.split('\0');
  if (command !== 'forkstart' || path !== lxcPath || instance === undefined) return undefined;
  return { is: 'forkstart', instance };
}

function initOf(proc: string, monitor: number, own: string): number | undefined {
  const children = textOf(`${proc}/${monitor}/task/${monitor}/children`)
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return children.find((child) => {
    const namespace = linkOf(`${proc}/${child}/ns/pid`);
    return namespace !== '' && namespace !== own;
  });
}

function pidsIn(proc: string): string[] {
  return readdirSync(proc).filter((name) => /^\d/.test(name));
}

function textOf(path: string): string {
  return unlessEnded(() => readFileSync(path, 'latin1'));
}

function linkOf(path: string): string {
  return unlessEnded(() => readlinkSync(path));
}

/** A process may end at any moment. One that may not be looked at has not ended: to take it for that would leave it running. */
function unlessEnded(read: () => string): string {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}
