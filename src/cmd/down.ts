import { existsSync, readdirSync } from 'node:fs';
import { Command } from 'commander';
import { checkStateDir, DEFAULT_STATE_DIR, localPaths } from '../config/local.ts';
import { takeLock } from './local/lock.ts';
import { isRoot } from './local/programs.ts';
import { createProgress } from './local/progress.ts';
import { findLeaks, isClusterFolder, tearDown } from './local/teardown.ts';

/** `hostler down`: ends everything of the cluster, and removes its files. */
export function downCommand(): Command {
  return new Command('down')
    .description('end the cluster on this machine and remove everything of it, containers included')
    .option('--state-dir <folder>', 'where everything of the cluster lies', DEFAULT_STATE_DIR)
    .option('--keep-state', "keep its files: 'hostler up' brings the same cluster back")
    .action(async (flags: { stateDir: string; keepState?: boolean }) => {
      if (!isRoot()) throw new Error("'hostler down' must be run as root");
      await runDown(checkStateDir(flags.stateDir), flags.keepState === true);
    });
}

async function runDown(stateDir: string, keepState: boolean): Promise<void> {
  const isEmpty = !existsSync(stateDir) || readdirSync(stateDir).length === 0;
  if (isEmpty && findLeaks(stateDir).length === 0) {
    process.stdout.write(`There is no cluster in ${stateDir}: nothing was done.\n`);
    return;
  }
  if (!isEmpty && !isClusterFolder(stateDir)) {
    throw new Error(`${stateDir} holds something else than a cluster: nothing was removed`);
  }
  const release = existsSync(stateDir) ? takeLock(localPaths(stateDir).lock) : () => undefined;
  try {
    const progress = createProgress(process.stdout, () => performance.now());
    await progress.step(keepState ? 'Cluster ended, files kept' : 'Cluster removed', async () => {
      await tearDown(stateDir, { keepState });
      return 'done';
    });
  } finally {
    release();
  }
}
