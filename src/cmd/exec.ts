import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Command } from 'commander';
import { checkStateDir, DEFAULT_STATE_DIR, hostNames } from '../config/local.ts';
import { enterArguments, findCompartment } from './local/compartment.ts';
import { daemonOf } from './local/daemon.ts';
import { readRecord } from './local/up.ts';

/** `hostler exec host-1 -- incus list`: a command inside one host of the local cluster, with its daemon's environment. */
export function execCommand(): Command {
  return new Command('exec')
    .description('run a command inside a host of the cluster on this machine')
    .argument('<host>', 'host-1, host-2, …')
    .argument('<command...>', 'what to run; put -- before it')
    .option('--state-dir <folder>', 'where everything of the cluster lies', DEFAULT_STATE_DIR)
    .action(async (host: string, command: string[], flags: { stateDir: string }) => {
      process.exitCode = await exec(checkStateDir(flags.stateDir), host, command);
    });
}

/** @returns the command's exit code @throws Error when the host does not run */
async function exec(stateDir: string, name: string, command: readonly string[]): Promise<number> {
  const record = readRecord(stateDir);
  if (record === undefined) throw new Error(`There is no cluster in ${stateDir}: 'hostler up' makes one`);
  const names = hostNames(record.hosts);
  if (!names.includes(name)) throw new Error(`There is no host ${name}; there are ${names.join(', ')}`);
  const compartment = findCompartment(stateDir, name);
  if (compartment === undefined) throw new Error(`${name} does not run: 'hostler up' starts it`);
  const { env } = daemonOf(record.runtime, compartment.directory, { program: '' });
  const [nsenter = '', ...rest] = enterArguments(compartment.initPid, '/');
  const child = spawn(nsenter, [...rest, ...command], { stdio: 'inherit', env: { ...process.env, ...env } });
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return code ?? (signal === 'SIGINT' ? 130 : 137);
}
