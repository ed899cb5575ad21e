import { Command } from 'commander';
import { checkStateDir, DEFAULT_STATE_DIR } from '../config/local.ts';
import { isRoot } from './local/programs.ts';
import { formatStatus, localStatus } from './local/status.ts';

/** `hostler status`: exit code 0 when every part runs, 1 when one does not, 2 when there is no cluster. */
export function statusCommand(): Command {
  return new Command('status')
    .description('show the parts of the cluster on this machine')
    .option('--state-dir <folder>', 'where everything of the cluster lies', DEFAULT_STATE_DIR)
    .option('--json', 'as JSON')
    .action(async (flags: { stateDir: string; json?: boolean }) => {
      if (!isRoot()) throw new Error("'hostler status' must be run as root");
      const stateDir = checkStateDir(flags.stateDir);
      const status = await localStatus(stateDir);
      if (status === undefined) {
        process.stderr.write(`There is no cluster in ${stateDir}: 'hostler up' makes one.\n`);
        process.exitCode = 2;
        return;
      }
      process.stdout.write(
        flags.json === true ? `${JSON.stringify(status, undefined, 2)}\n` : formatStatus(status, Date.now()),
      );
      process.exitCode = status.healthy ? 0 : 1;
    });
}
