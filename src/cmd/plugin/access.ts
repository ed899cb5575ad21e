import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Container, containerKind } from '../../crds/container.ts';
import { readNamespace } from '../../kube/kube-config.ts';
import { createObjectStore } from '../../kube/object-store.ts';
import { type Clock, systemClock } from '../../ports/clock.ts';
import { HostlerError } from '../../ports/errors.ts';
import { silentLogger } from '../../ports/logger.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { Output } from '../local/progress.ts';

/** What a command of the plugin works with. */
export interface PluginContext {
  store: ObjectStore;
  clock: Clock;
  output: Output;
  /** For what is no result. */
  errors: Output;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

/** kubectl's own flags, as far as they matter here. */
export interface AccessFlags {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
}

/** What the commands exit with. */
export const EXIT = { done: 0, notDone: 1, failed: 2, timedOut: 3, interrupted: 130 } as const;

export function withAccess(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'how to reach the API; default: $KUBECONFIG, or ~/.kube/config')
    .option('--context <name>', 'the context of the kubeconfig; default: the current one');
}

/**
 * Runs `act` on the cluster that the flags name, and exits with what it returns. Ctrl-C aborts its signal; a second one ends
 * the program at once.
 */
export async function onCluster(
  flags: AccessFlags,
  act: (context: PluginContext) => Promise<number>,
): Promise<void> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt);
  const store = createObjectStore({
    kubeConfig: kubeConfigOf(flags),
    ...(flags.context === undefined ? {} : { context: flags.context }),
    userAgent: 'kubectl-hostler',
    logger: silentLogger,
  });
  try {
    process.exitCode = await act({
      store,
      clock: systemClock,
      output: process.stdout,
      errors: process.stderr,
      signal: interrupted.signal,
    });
  } finally {
    process.off('SIGINT', interrupt);
    store.close();
  }
}

/** As kubectl does: the flag, the context's own, `default`. */
export async function namespaceOf(flags: AccessFlags): Promise<string> {
  return flags.namespace ?? (await readNamespace(kubeConfigOf(flags), flags.context)) ?? 'default';
}

/** @throws NotFound */
export async function getContainer(
  { store, signal }: PluginContext,
  namespace: string,
  name: string,
): Promise<Container> {
  const container = await store.get<Container>(containerKind, { namespace, name }, signal);
  if (container !== undefined) return container;
  throw new HostlerError('NotFound', `There is no container ${name} in namespace ${namespace}`);
}

function kubeConfigOf({ kubeconfig }: AccessFlags): string {
  return kubeconfig ?? (process.env['KUBECONFIG'] || join(homedir(), '.kube', 'config'));
}
