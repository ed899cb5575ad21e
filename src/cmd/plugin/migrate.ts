import { Command } from 'commander';
import { findCondition } from '../../crds/conditions.ts';
import { containerKind } from '../../crds/container.ts';
import { API_VERSION } from '../../crds/kind.ts';
import { ownerReferenceTo } from '../../crds/object.ts';
import { type Migration, migrationKind, type MigrationMode } from '../../crds/migration.ts';
import { isFinished } from '../../plan/relocation/moves.ts';
import { HostlerError } from '../../ports/errors.ts';
import {
  type AccessFlags,
  EXIT,
  getContainer,
  namespaceOf,
  onCluster,
  type PluginContext,
  withAccess,
} from './access.ts';
import { getNode } from '../known-node.ts';
import { lookUntil } from './look.ts';
import { createProgressLine, formatMs, formatSize } from './progress-line.ts';

interface Flags extends AccessFlags {
  to?: string;
  live?: boolean;
  liveIfPossible?: boolean;
  cold?: boolean;
  maxPause?: string;
  deadline?: string;
  bandwidth?: string;
  watch?: boolean;
}

export function migrateCommand(): Command {
  return withAccess(
    new Command('migrate')
      .description('move a container to another node')
      .argument('<container>', 'the Container')
      .option('-n, --namespace <namespace>', "its namespace; default: the context's")
      .option('--to <node>', 'the node it goes to; default: the one that placement chooses')
      .option('--live', 'with its processes, memory and connections, or not at all')
      .option('--live-if-possible', 'live where both hosts can, else cold')
      .option('--cold', 'with a stop and a start')
      .option('--max-pause <duration>', 'how long it may be away at most')
      .option('--deadline <duration>', 'how long the whole may take')
      .option('--bandwidth <quantity>', 'bytes a second at most: 50Mi')
      .option('-w, --watch', 'show how far it is, until it has ended'),
  ).action((name: string, flags: Flags) =>
    onCluster(flags, async (context) => await migrate(context, await namespaceOf(flags), name, flags)),
  );
}

export async function migrate(
  context: PluginContext,
  namespace: string,
  name: string,
  flags: Omit<Flags, keyof AccessFlags>,
): Promise<number> {
  const mode = modeOf(flags);
  const container = await getContainer(context, namespace, name);
  if (flags.to !== undefined) await getNode(context, flags.to);
  const { store, output, signal } = context;
  const made = await store.create<Migration>(
    migrationKind,
    {
      apiVersion: API_VERSION,
      kind: migrationKind.kind,
      metadata: {
        generateName: `${name}-`,
        namespace,
        // Its record goes with the container.
        ownerReferences: [ownerReferenceTo(containerKind, container)],
      } as Migration['metadata'],
      spec: {
        container: name,
        ...(flags.to === undefined ? {} : { targetNode: flags.to }),
        ...(mode === undefined ? {} : { mode }),
        ...(flags.maxPause === undefined ? {} : { maxPause: flags.maxPause }),
        ...(flags.deadline === undefined ? {} : { deadline: flags.deadline }),
        ...(flags.bandwidth === undefined ? {} : { bandwidth: flags.bandwidth }),
      },
    },
    signal,
  );
  output.write(`migration/${made.metadata.name} created\n`);
  return flags.watch === true ? await watch(context, made) : EXIT.done;
}

function modeOf({ live, liveIfPossible, cold }: Omit<Flags, keyof AccessFlags>): MigrationMode | undefined {
  const modes: MigrationMode[] = [
    ...(live === true ? (['Live'] as const) : []),
    ...(liveIfPossible === true ? (['LiveIfPossible'] as const) : []),
    ...(cold === true ? (['Cold'] as const) : []),
  ];
  if (modes.length > 1) {
    throw new HostlerError('Invalid', 'Only one of --live, --live-if-possible and --cold can be given');
  }
  return modes[0];
}

async function watch(context: PluginContext, { metadata }: Migration): Promise<number> {
  const { store, output, errors, signal, clock } = context;
  const { namespace = '', name } = metadata;
  const line = createProgressLine(output);
  const startMs = clock.monotonicMs();
  const ending = await lookUntil<Migration | 'gone'>(context, undefined, async () => {
    const now = await store.get<Migration>(migrationKind, { namespace, name }, signal);
    if (now === undefined || now.metadata.uid !== metadata.uid) return 'gone';
    if (isFinished(now)) return now;
    show(now, line, output.isTTY === true);
    return undefined;
  });
  line.clear();
  if (ending.is !== 'reached') {
    const more = `'kubectl get migration ${name} -n ${namespace} -w' shows it, 'kubectl delete migration ${name} -n ${namespace}' cancels it`;
    errors.write(`\nInterrupted. The migration goes on: ${more}.\n`);
    return EXIT.interrupted;
  }
  if (ending.value === 'gone') {
    output.write(`migration/${name} Cancelled: it was deleted, or its container or namespace was\n`);
    return EXIT.notDone;
  }
  output.write(`${summary(ending.value, clock.monotonicMs() - startMs)}\n`);
  return ending.value.status?.phase === 'Succeeded' ? EXIT.done : EXIT.notDone;
}

/** Where every change is a line of its own, how far a pass is would be too much. The last pass is too short to be told. */
function show({ status }: Migration, line: ReturnType<typeof createProgressLine>, isTerminal: boolean): void {
  const { phase = 'Pending', source, target, mode, passes = 0, progress, conditions } = status ?? {};
  const waits =
    phase === 'Pending' && source === undefined ? findCondition(conditions, 'Succeeded') : undefined;
  if (waits !== undefined) return line.show(`${phase}: ${waits.message}`);
  const way = source === undefined ? '' : ` ${source} to ${target ?? '?'}`;
  const how = mode === undefined ? '' : `, ${mode.toLowerCase()}`;
  const text = `${phase}${way}${how}`;
  const isCopied = phase === 'Copying' || phase === 'Refreshing';
  if (!isTerminal || !isCopied || progress === undefined) return line.show(text);
  const rate = progress.rate === undefined ? '' : `, ${formatSize(progress.rate)}/s`;
  line.show(
    `${text}, pass ${passes + 1}: ${formatSize(progress.bytes)}${rate}`,
    progress.percent === undefined ? undefined : progress.percent / 100,
  );
}

function summary({ metadata, status = {} }: Migration, seenMs: number): string {
  const { phase = '', conditions } = status;
  const said = conditions?.find(({ type }) => type === 'Succeeded');
  const why = phase === 'Succeeded' ? '' : `: ${said?.message || said?.reason || 'it is not known why'}`;
  const facts = factsOf(status, seenMs).join(', ');
  return `migration/${metadata.name} ${phase}${why} (${facts})`;
}

function factsOf(status: NonNullable<Migration['status']>, seenMs: number): string[] {
  const { mode, source, target, passes = 0, pauseMs } = status;
  return [
    ...(source === undefined ? [] : [`${source} to ${target ?? '?'}`]),
    ...(mode === undefined ? [] : [mode.toLowerCase()]),
    ...(passes === 0 ? [] : [`${passes} ${passes === 1 ? 'pass' : 'passes'}`]),
    ...(pauseMs === undefined ? [] : [`pause ${formatMs(pauseMs)}`]),
    `took ${formatMs(seenMs)}`,
  ];
}
