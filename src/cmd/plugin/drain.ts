import { Command, InvalidArgumentError, Option } from 'commander';
import { findCondition } from '../../crds/conditions.ts';
import { parseDurationMs } from '../../crds/duration.ts';
import type { DrainOptions, DrainStatus } from '../../crds/maintenance.ts';
import type { MigrationMode } from '../../crds/migration.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import { hasCode } from '../../ports/errors.ts';
import { type AccessFlags, EXIT, onCluster, type PluginContext, withAccess } from './access.ts';
import { getNode } from '../known-node.ts';
import { drainTable } from './drain-table.ts';
import { lookUntil } from './look.ts';
import { createProgressLine, formatMs, type ProgressLine } from './progress-line.ts';

interface Flags extends AccessFlags {
  mode?: string;
  timeout?: number;
  stopUnmovable?: boolean;
  skip?: boolean;
  wait: boolean;
}

const MODES: Readonly<Record<string, MigrationMode>> = {
  live: 'Live',
  'live-if-possible': 'LiveIfPossible',
  cold: 'Cold',
};

export function drainCommand(): Command {
  return common(
    new Command('drain')
      .description('empty a node for maintenance: every container moves elsewhere by its own policy')
      .addOption(
        new Option('--mode <mode>', "how they move, in place of each one's own policy").choices(
          Object.keys(MODES),
        ),
      )
      .option('--stop-unmovable', 'stop what cannot move, until the maintenance ends'),
  ).action((name: string, flags: Flags) => onCluster(flags, (context) => drain(context, name, flags)));
}

export function restoreCommand(): Command {
  return common(
    new Command('restore')
      .description("end a node's maintenance, and bring back what was moved away")
      .option('--skip', 'leave what was moved away where it is'),
  ).action((name: string, flags: Flags) => onCluster(flags, (context) => restore(context, name, flags)));
}

function common(command: Command): Command {
  return withAccess(
    command
      .argument('<node>', 'the Node')
      .option('--timeout <duration>', 'give up waiting after this long: 10m. Default: never', parseTimeout)
      .option('--no-wait', 'ask for it, and do not wait'),
  );
}

export async function drain(
  context: PluginContext,
  name: string,
  { mode, stopUnmovable = false, timeout, wait }: Omit<Flags, keyof AccessFlags>,
): Promise<number> {
  await getNode(context, name);
  const options: Options = {
    mode: mode === undefined ? null : (MODES[mode] ?? null),
    unmovable: stopUnmovable ? 'Stop' : 'Leave',
    restore: null,
  };
  const asked = await ask(context, name, 'Drain', options);
  context.output.write(`node/${name} in maintenance: it is emptied\n`);
  if (!wait) return EXIT.done;
  const way: Way = { done: 'Drained', doing: 'drain', verb: 'moved' };
  return await follow(context, asked, way, timeout);
}

export async function restore(
  context: PluginContext,
  name: string,
  { skip = false, timeout, wait }: Omit<Flags, keyof AccessFlags>,
): Promise<number> {
  const { spec, status } = await getNode(context, name);
  const isOver = status?.drain === undefined || status.drain.phase === 'Restored';
  if (spec.maintenance !== 'Drain' && isOver) {
    context.output.write(`node/${name} is not in maintenance\n`);
    return EXIT.done;
  }
  // What this maintenance was told is not for the next one, which somebody may begin with a patch.
  const asked = await ask(context, name, 'None', skip ? { ...UNSET, restore: 'Skip' } : null);
  context.output.write(`node/${name} out of maintenance\n`);
  if (!wait) return EXIT.done;
  const way: Way = { done: 'Restored', doing: 'restore', verb: 'back' };
  const code = await follow(context, asked, way, timeout);
  if (skip && code === EXIT.done) await forgetSkip(context, name);
  return code;
}

/** Unless somebody has asked for something else meanwhile. */
async function forgetSkip(context: PluginContext, name: string): Promise<void> {
  const { store, signal } = context;
  const { spec, metadata } = await getNode(context, name);
  if (spec.maintenance === 'Drain' || spec.drain?.restore !== 'Skip') return;
  const { resourceVersion } = metadata;
  const body = { metadata: { resourceVersion }, spec: { drain: null } };
  try {
    await store.mergePatch<Node>(nodeKind, { name }, { body }, signal);
  } catch (error) {
    if (!hasCode(error, 'Conflict')) throw error;
  }
}

type Options = { [Name in keyof DrainOptions]?: DrainOptions[Name] | null };
const UNSET: Options = { mode: null, unmovable: null, restore: null };

function ask(
  { store, signal }: PluginContext,
  name: string,
  maintenance: 'Drain' | 'None',
  options: Options | null,
): Promise<Node> {
  const body = { spec: { maintenance, drain: options } };
  return store.mergePatch<Node>(nodeKind, { name }, { body }, signal);
}

interface Way {
  done: 'Drained' | 'Restored';
  doing: 'drain' | 'restore';
  verb: string;
}

/** Nothing that passes is taken for an end. */
const STUCK_MS = 3_000;

/** Shows how far it is, until it is done, until nothing moves any more, or until the time is up. */
async function follow(
  context: PluginContext,
  { metadata }: Node,
  way: Way,
  timeoutMs: number | undefined,
): Promise<number> {
  const { clock, output, errors } = context;
  const { name, generation = 0 } = metadata;
  const line = createProgressLine(output);
  const startMs = clock.monotonicMs();
  let stuckSinceMs: number | undefined;
  const ending = await lookUntil(context, timeoutMs, async () => {
    const node = await getNode(context, name);
    const drained = findCondition(node.status?.conditions, 'Drained');
    const status = node.status?.drain;
    if (status === undefined || (drained?.observedGeneration ?? 0) < generation) return undefined;
    show(line, name, status, way.verb);
    if (status.phase === way.done) return 'done';
    const isStuck = drained?.reason === 'Blocked';
    stuckSinceMs = isStuck ? (stuckSinceMs ?? clock.monotonicMs()) : undefined;
    const isLong = stuckSinceMs !== undefined && clock.monotonicMs() - stuckSinceMs >= STUCK_MS;
    return isLong && timeoutMs === undefined ? 'stuck' : undefined;
  });
  line.clear();
  const again = `'kubectl hostler ${way.doing} ${name}' shows it again`;
  const back = way.doing === 'drain' ? `; 'kubectl hostler restore ${name}' ends the maintenance` : '';
  if (ending.is === 'interrupted') {
    errors.write(`\nInterrupted. The ${way.doing} of ${name} goes on: ${again}${back}.\n`);
    return EXIT.interrupted;
  }
  output.write(await drainTable(context, name, way.doing));
  if (ending.is !== 'reached') {
    errors.write(`Not done after ${formatMs(timeoutMs ?? 0)}. The ${way.doing} goes on: ${again}${back}.\n`);
    return EXIT.timedOut;
  }
  if (ending.value === 'stuck') {
    const more = way.doing === 'drain' ? ' (--stop-unmovable stops what cannot move)' : ' (--skip leaves it)';
    errors.write(`What is blocked cannot move now${more}. The ${way.doing} goes on: ${again}${back}.\n`);
    return EXIT.notDone;
  }
  const took = formatMs(clock.monotonicMs() - startMs);
  output.write(`node/${name} ${way.done.toLowerCase()} in ${took}\n`);
  return EXIT.done;
}

function show(line: ProgressLine, name: string, status: DrainStatus, verb: string): void {
  const { total, moved, moving, waiting, stopped, blocked = [] } = status;
  const parts = [
    `${moved} of ${total} ${verb}`,
    ...(moving > 0 ? [`${moving} moving`] : []),
    ...(waiting > 0 ? [`${waiting} waiting`] : []),
    ...(stopped > 0 ? [`${stopped} stopped`] : []),
    ...(blocked.length > 0 ? [`${blocked.length} blocked`] : []),
  ];
  line.show(`${name}: ${parts.join(', ')}`, total === 0 ? 1 : (moved + stopped) / total);
}

function parseTimeout(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms === 0) throw new InvalidArgumentError('must be a duration such as 90s or 10m.');
  return ms;
}
