import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { AgentConfig } from '../../config/agent.ts';
import { guardPaths } from '../../config/guard.ts';
import { createGuardClient } from '../../guard/client.ts';
import type { Guard } from '../../ports/guard.ts';
import { systemClock as clock } from '../../ports/clock.ts';

/** The guard of this host as the agent has it: none, one that somebody else starts, or one that it starts itself. */
export function openGuard(config: Pick<AgentConfig, 'guard' | 'stateDir' | 'daemon' | 'watchdog'>): {
  guard?: Guard;
} {
  const { guard, stateDir, daemon, watchdog } = config;
  if (guard === 'none' || !('socketPath' in daemon)) return {};
  const { socket, log } = guardPaths(stateDir);
  if (guard === 'external') return { guard: createGuardClient({ socketPath: socket, clock }) };
  const flags = ['--state-dir', stateDir, '--incus', `unix:${daemon.socketPath}`];
  if (watchdog !== undefined) flags.push('--watchdog', watchdog);
  return { guard: createGuardClient({ socketPath: socket, clock, launch: () => launch(flags, log) }) };
}

/** In a session of its own, so that no signal to the agent or its group reaches it. */
function launch(flags: readonly string[], logFile: string): void {
  const [, program = ''] = process.argv;
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, [...process.execArgv, program, 'guard', ...flags], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  // That there is no guard is noticed, and told, by whoever wants an answer from it.
  child.on('error', () => undefined);
  child.unref();
}
