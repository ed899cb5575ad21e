import { spawn } from 'node:child_process';
import { HostlerError } from '../ports/errors.ts';

/** Of what the command says, for the error. */
const MAX_OUTPUT = 1_000;

/**
 * Runs a fencing command, without a shell, in a process group of its own, which is killed when `signal` is aborted.
 * @throws Internal when it ends with another code than 0, Invalid when it cannot be started; the reason of `signal`
 */
export async function runCommand(
  command: readonly string[],
  node: string,
  signal: AbortSignal,
): Promise<void> {
  const [program = '', ...args] = command;
  signal.throwIfAborted();
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOSTLER_NODE: node },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-MAX_OUTPUT);
    });
  }
  const kill = (): void => {
    if (child.pid !== undefined) killGroup(child.pid);
  };
  signal.addEventListener('abort', kill, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', (cause) => {
        reject(new HostlerError('Invalid', `Cannot run ${program}: ${cause.message}`, { cause }));
      });
      child.once('close', (code, killedBy) => {
        if (signal.aborted) reject(signal.reason as Error);
        else if (code === 0) resolve();
        else
          reject(new HostlerError('Internal', `${program} ended with ${killedBy ?? code}: ${output.trim()}`));
      });
    });
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // It has ended by itself meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
