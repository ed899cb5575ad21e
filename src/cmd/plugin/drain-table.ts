import { type Container, containerKind } from '../../crds/container.ts';
import { type Migration, migrationKind } from '../../crds/migration.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import { keyOf } from '../../crds/object.ts';
import { CAUSE_LABEL, CAUSE_NODE_LABEL } from '../../plan/relocation/cause.ts';
import { containerKeyOf, isFinished } from '../../plan/relocation/moves.ts';
import { formatTable } from '../table.ts';
import { listAll } from '../../reconcile/list-all.ts';
import type { PluginContext } from './access.ts';
import { formatMs } from './progress-line.ts';

/** What has become of each container in the last drain of `node`, or in the restore after it; empty when it was about none. */
export async function drainTable(
  { store, signal }: PluginContext,
  name: string,
  kind: 'drain' | 'restore',
): Promise<string> {
  const labelSelector = `${CAUSE_LABEL}=${kind},${CAUSE_NODE_LABEL}=${name}`;
  const [node, migrations, containers] = await Promise.all([
    store.get<Node>(nodeKind, { name }, signal),
    listAll<Migration>(store, migrationKind, { labelSelector }, signal),
    listAll<Container>(store, containerKind, {}, signal),
  ]);
  const places = new Map(containers.items.map((one) => [keyOf(one), one.status?.nodeName]));
  const moved = movedRows(node, migrations.items, kind === 'drain' ? places : new Map());
  const known = [...moved, ...otherRows(name, node, containers.items)];
  const rows = [...known, ...waitingRows(name, { kind, known }, containers.items)];
  if (rows.length === 0) return '';
  rows.sort(([one = ''], [other = '']) => (one < other ? -1 : 1));
  return formatTable([['CONTAINER', 'RESULT', 'TO', 'MODE', 'PAUSE', 'TOOK'], ...rows]);
}

/** The last one of each container, if it was made since the drain began. */
function movedRows(
  node: Node | undefined,
  migrations: readonly Migration[],
  places: ReadonlyMap<string, string | undefined>,
): string[][] {
  const since = node?.status?.drain?.startedAt ?? '';
  const last = new Map<string, Migration>();
  for (const migration of migrations) {
    const key = containerKeyOf(migration);
    const made = migration.metadata.creationTimestamp ?? '';
    if (made >= since && made >= (last.get(key)?.metadata.creationTimestamp ?? '')) last.set(key, migration);
  }
  const blocked = new Set(node?.status?.drain?.blocked?.map(({ container }) => container));
  return [...last]
    .filter(([key]) => !blocked.has(key))
    .map(([key, migration]) => [key, ...(recovered(node, migration, places.get(key)) ?? cells(migration))]);
}

/** The node was lost on the way: the failover has placed it elsewhere. */
function recovered(
  node: Node | undefined,
  migration: Migration,
  place: string | undefined,
): string[] | undefined {
  const hasFailed = isFinished(migration) && migration.status?.phase !== 'Succeeded';
  const isElsewhere = place !== undefined && place !== '' && place !== node?.metadata.name;
  return hasFailed && isElsewhere ? ['recovered', place] : undefined;
}

function cells(migration: Migration): string[] {
  const { spec, status } = migration;
  const target = status?.target ?? spec.targetNode ?? '';
  const tookMs = Date.parse(status?.completedAt ?? '') - Date.parse(status?.startedAt ?? '');
  return [
    isFinished(migration) ? (status?.phase ?? '') : 'moving',
    target,
    status?.mode ?? '',
    status?.pauseMs === undefined ? '' : formatMs(status.pauseMs),
    Number.isNaN(tookMs) ? '' : formatMs(tookMs),
  ];
}

function otherRows(name: string, node: Node | undefined, containers: readonly Container[]): string[][] {
  const blocked = (node?.status?.drain?.blocked ?? []).map(({ container, reason, message }) => [
    container,
    `blocked: ${reason}: ${message}`,
  ]);
  const stopped = containers
    .filter(({ status }) => status?.nodeName === name && status.stoppedFor !== undefined)
    .map((container) => [keyOf(container), 'stopped']);
  return [...blocked, ...stopped];
}

/** Those whose turn has not come: for people who do not wait for it. */
function waitingRows(
  name: string,
  { kind, known }: { kind: 'drain' | 'restore'; known: readonly string[][] },
  containers: readonly Container[],
): string[][] {
  const shown = new Set(known.map(([key]) => key));
  return containers
    .filter(({ status }) => (kind === 'drain' ? status?.nodeName === name : isToComeBack(status, name)))
    .map(keyOf)
    .filter((key) => !shown.has(key))
    .map((key) => [key, 'waiting']);
}

function isToComeBack(status: Container['status'], home: string): boolean {
  return status?.drainedFrom === home && status.nodeName !== home;
}
