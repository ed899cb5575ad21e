import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { createObjectStore } from '../kube/object-store.ts';
import { silentLogger } from '../ports/logger.ts';
import { formatNodeLoss } from './plan/node-loss-table.ts';
import { readNodeLoss } from './plan/read-node-loss.ts';

const TIMEOUT_MS = 30_000;

/** `hostler plan`: what the control plane would do, without doing it. It only reads. */
export function planCommand(): Command {
  return new Command('plan').description('show what would be done, without doing it').addCommand(
    new Command('node-loss')
      .description(
        'show where the containers of a node would go if it were lost now, and what would wait for it',
      )
      .argument('<node>', 'the Node')
      .option('--kubeconfig <file>', 'how to reach the API; default: $KUBECONFIG, or ~/.kube/config')
      .option('--json', 'as JSON')
      .action((node: string, flags: { kubeconfig?: string; json?: boolean }) => nodeLoss(node, flags)),
  );
}

/** Writes what the loss of `node` would do. */
export async function tellNodeLoss(
  store: Parameters<typeof readNodeLoss>[0],
  node: string,
  asJson: boolean,
): Promise<void> {
  const loss = await readNodeLoss(store, node, AbortSignal.timeout(TIMEOUT_MS));
  process.stdout.write(asJson ? `${JSON.stringify(loss, undefined, 2)}\n` : formatNodeLoss(loss));
}

async function nodeLoss(node: string, flags: { kubeconfig?: string; json?: boolean }): Promise<void> {
  const kubeConfig = flags.kubeconfig ?? process.env['KUBECONFIG'] ?? join(homedir(), '.kube', 'config');
  const store = createObjectStore({ kubeConfig, userAgent: 'hostler-plan', logger: silentLogger });
  try {
    await tellNodeLoss(store, node, flags.json === true);
  } finally {
    store.close();
  }
}
