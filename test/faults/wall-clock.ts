import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Compartment } from '../../src/cmd/local/compartment.ts';

/**
 * Wall clocks of single processes that can be set while they run, by libfaketime: it reads a file of the host's own /run for
 * each role once a second. Monotonic clocks stay those of the machine.
 */
export type ClockRole = 'agent' | 'guard' | 'server';
export const CLOCK_ROLES: readonly ClockRole[] = ['agent', 'guard', 'server'];

const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1',
];
const FILE = '/run/hostler-faults-clock';

/** What stands in for dist/hostler.mjs: a process with a role becomes, with its own pid, one whose clock can be set. */
export function clockShim(program: string, file = FILE): string {
  const library = LIBRARIES.find((path) => existsSync(path));
  if (library === undefined)
    throw new Error('libfaketime is not installed: run scripts/setup (Debian package faketime)');
  return `const role = process.argv[2];
if (${JSON.stringify(CLOCK_ROLES)}.includes(role) && process.env.HOSTLER_FAULTS_CLOCK !== role) {
  const { FAKETIME_SHARED: _, ...environment } = process.env;
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...environment,
    LD_PRELOAD: ${JSON.stringify(library)},
    FAKETIME_TIMESTAMP_FILE: \`${file}-\${role}\`,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
    HOSTLER_FAULTS_CLOCK: role,
  });
}
// What it starts has clocks of its own.
delete process.env.LD_PRELOAD;
delete process.env.HOSTLER_FAULTS_CLOCK;
await import(${JSON.stringify(program)});
`;
}

export function setClock({ initPid }: Compartment, role: ClockRole, offsetSeconds: number): void {
  const sign = offsetSeconds < 0 ? '-' : '+';
  writeFileSync(pathOf(initPid, role), `${sign}${Math.abs(offsetSeconds)}\n`);
}

/** Idempotent; a host that is gone has none. */
export function resetClock({ initPid }: Compartment, role: ClockRole): void {
  if (existsSync(pathOf(initPid, role))) writeFileSync(pathOf(initPid, role), '+0\n');
}

const pathOf = (initPid: number, role: ClockRole): string => join(`/proc/${initPid}/root`, `${FILE}-${role}`);
