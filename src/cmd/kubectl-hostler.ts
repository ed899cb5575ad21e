import { Command } from 'commander';
import { messageOf } from '../ports/errors.ts';
import { type AccessFlags, EXIT, onCluster, withAccess } from './plugin/access.ts';
import { cordonCommands } from './plugin/cordon.ts';
import { drainCommand, restoreCommand } from './plugin/drain.ts';
import { migrateCommand } from './plugin/migrate.ts';
import { tellNodeLoss } from './plan.ts';

/** `kubectl hostler`, a kubectl plugin: what people do with nodes and containers beyond apply, get and delete. */
function program(): Command {
  const all = new Command('kubectl-hostler')
    .usage('<command> [options]')
    .description('Maintenance of hosts and moves of containers. The flags of kubectl come after the command.')
    .showHelpAfterError('(kubectl hostler --help shows what there is)')
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? EXIT.done : EXIT.failed);
    });
  const commands = [...cordonCommands(), drainCommand(), restoreCommand(), migrateCommand(), planCommand()];
  for (const command of commands) all.addCommand(command.copyInheritedSettings(all));
  return all;
}

function planCommand(): Command {
  const nodeLoss = withAccess(
    new Command('node-loss')
      .description('show where the containers of a node would go if it were lost now')
      .argument('<node>', 'the Node')
      .option('--json', 'as JSON'),
  ).action((node: string, flags: AccessFlags & { json?: boolean }) =>
    onCluster(flags, async ({ store }) => {
      await tellNodeLoss(store, node, flags.json === true);
      return EXIT.done;
    }),
  );
  return new Command('plan').description('show what would be done, without doing it').addCommand(nodeLoss);
}

try {
  await program().parseAsync(process.argv);
} catch (error) {
  process.stderr.write(`kubectl hostler: ${messageOf(error)}\n`);
  process.exitCode = EXIT.failed;
}
