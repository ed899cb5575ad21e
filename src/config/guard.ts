import { dirname, join } from 'node:path';

/** As commander hands them over. */
export interface GuardFlags {
  stateDir: string;
  incus: string;
  lxcPath?: string;
  watchdog?: string;
}

export interface GuardConfig {
  stateDir: string;
  /** Of the daemon. */
  daemonSocket: string;
  /** The folder that liblxc's monitors name in their titles. */
  lxcPath: string;
  /** The kernel's watchdog; absent: none. */
  watchdog?: string;
}

/** @throws Error that names the option which is wrong */
export function parseGuardConfig({ stateDir, incus, lxcPath, watchdog }: GuardFlags): GuardConfig {
  const daemonSocket = /^unix:(?:\/\/(?=\/))?(\/.+)$/.exec(incus)?.[1];
  if (daemonSocket === undefined) {
    throw new Error(
      `--incus ${incus}: the guard works on the daemon's own host only, by its socket: unix:/path`,
    );
  }
  if (lxcPath !== undefined && !lxcPath.startsWith('/'))
    throw new Error(`--lxc-path ${lxcPath}: must be absolute`);
  return {
    stateDir,
    daemonSocket,
    lxcPath: (lxcPath ?? join(dirname(daemonSocket), 'containers')).replace(/(?<=.)\/+$/, ''),
    ...(watchdog === undefined ? {} : { watchdog }),
  };
}

/** Where the guard of `stateDir` answers, and what it remembers: agent and guard must agree on it. */
export const guardPaths = (stateDir: string) =>
  ({
    socket: join(stateDir, 'guard.sock'),
    memory: join(stateDir, 'guard.json'),
    log: join(stateDir, 'guard.log'),
  }) as const;
