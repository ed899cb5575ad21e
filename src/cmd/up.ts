import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { checkLocalOptions, checkStateDir, DEFAULT_STATE_DIR, localPaths } from '../config/local.ts';
import { checkPrograms } from './local/programs.ts';
import { createProgress, endOfLog, StepError } from './local/progress.ts';
import { readRecord, up } from './local/up.ts';
import { messageOf } from '../ports/errors.ts';

interface Flags {
  stateDir: string;
  hosts?: number;
  runtime?: 'incus' | 'lxd';
  replicas?: number;
  port?: number;
  live?: boolean;
}

const DEFAULTS = { hosts: 3, runtime: 'incus', replicas: 1, port: 6443 } as const;

/** `hostler up`: a whole cluster on this machine. */
export function upCommand(): Command {
  return new Command('up')
    .description('bring up a whole cluster on this machine, or what has died of it')
    .option('--state-dir <folder>', 'where everything of the cluster lies', DEFAULT_STATE_DIR)
    .option('--hosts <number>', `how many hosts (default: ${DEFAULTS.hosts})`, parseWhole)
    .addOption(
      new Option('--runtime <runtime>', `the hosts' daemon (default: "${DEFAULTS.runtime}")`).choices([
        'incus',
        'lxd',
      ]),
    )
    .option(
      '--replicas <number>',
      `servers of the control plane, with a member of etcd each: 1, or 3 or 5 on as many of the hosts (default: ${DEFAULTS.replicas})`,
      parseWhole,
    )
    .option('--port <number>', `the API's port on 127.0.0.1 (default: ${DEFAULTS.port})`, parseWhole)
    .option(
      '--live',
      'hosts whose containers can move while they run (needs scripts/setup --live; no volumes)',
    )
    .action(runUp);
}

async function runUp(flags: Flags): Promise<void> {
  const stateDir = checkStateDir(flags.stateDir);
  const options = checkLocalOptions({ ...DEFAULTS, ...readRecord(stateDir), ...flags, stateDir });
  // A root shell made with plain `su` has no sbin; the daemons look for ip, nft and dnsmasq on the PATH.
  process.env['PATH'] = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  checkPrograms(options);
  const [node, script = ''] = process.argv;
  process.once('SIGINT', () => {
    process.stderr.write(`\nInterrupted. 'hostler down${stateFlag(stateDir)}' removes what was started.\n`);
    process.exit(130);
  });
  try {
    const outcome = await up({
      options,
      program: [node ?? 'node', ...process.execArgv, script],
      imageScript: join(dirname(script), '../scripts/busybox-image'),
      progress: createProgress(process.stdout, () => performance.now()),
    });
    const { kubeconfig } = localPaths(stateDir);
    process.stdout.write(
      outcome === 'unchanged'
        ? `Everything runs already: nothing was done.\n`
        : `\nThe cluster is up:\n  export KUBECONFIG=${kubeconfig}\n  kubectl get nodes\n`,
    );
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.stderr.write(
      `'hostler up' goes on from here once the cause is gone; 'hostler down${stateFlag(stateDir)}' removes everything.\n`,
    );
    process.exitCode = 1;
  }
}

function explain(error: unknown): string {
  const message = messageOf(error);
  if (!(error instanceof StepError)) return message;
  return `${message}\n  the end of ${error.logFile}:\n${endOfLog(error.logFile)}`.trimEnd();
}

export function stateFlag(stateDir: string): string {
  return stateDir === DEFAULT_STATE_DIR ? '' : ` --state-dir ${stateDir}`;
}

function parseWhole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
