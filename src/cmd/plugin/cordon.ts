import { Command } from 'commander';
import { nodeKind } from '../../crds/node.ts';
import { type AccessFlags, EXIT, onCluster, type PluginContext, withAccess } from './access.ts';
import { getNode } from '../known-node.ts';

export function cordonCommands(): Command[] {
  return [
    nodesCommand('cordon', 'keep new containers away from nodes; those that run there stay', true),
    nodesCommand('uncordon', 'let new containers be placed on nodes again', false),
  ];
}

function nodesCommand(name: string, description: string, unschedulable: boolean): Command {
  return withAccess(new Command(name).description(description).argument('<nodes...>', 'the Nodes')).action(
    (nodes: string[], flags: AccessFlags) =>
      onCluster(flags, (context) => cordon(context, nodes, unschedulable)),
  );
}

/** All of them, or none where one is not there. */
export async function cordon(
  context: PluginContext,
  names: readonly string[],
  unschedulable: boolean,
): Promise<number> {
  const { store, output, signal } = context;
  const nodes = await Promise.all(names.map((name) => getNode(context, name)));
  const word = unschedulable ? 'cordoned' : 'uncordoned';
  for (const { metadata, spec } of nodes) {
    const { name } = metadata;
    if ((spec.unschedulable ?? false) === unschedulable) {
      output.write(`node/${name} already ${word}\n`);
      continue;
    }
    await store.mergePatch(nodeKind, { name }, { body: { spec: { unschedulable } } }, signal);
    output.write(`node/${name} ${word}\n`);
  }
  return EXIT.done;
}
