import { readFile } from 'node:fs/promises';
import { isRunning, manifestOf, numbered, watchContainers } from './containers.ts';
import { remove } from './create.ts';
import { type Figure, atMost, figure } from './figure.ts';
import type { BenchCluster } from './local-cluster.ts';

const SETTLE_MS = 15_000;
const LOOK_MS = 60_000;
/** USER_HZ of every Linux that Node runs on. */
export const TICKS_PER_SECOND = 100;

/** A converged cluster with nine containers, looked at for a minute. */
export async function atRest(cluster: BenchCluster): Promise<Figure[]> {
  const watch = await watchContainers(cluster.kubeconfig);
  const names = numbered('rest', 9);
  try {
    await cluster.kubectl(['apply', '-f', '-'], manifestOf(names));
    await watch.until(
      names,
      (container) => isRunning(container) && container?.status?.addresses?.[0] !== undefined,
    );
    await wait(SETTLE_MS);
    const pids = await cluster.pids();
    const before = { writes: await versions(cluster), ticks: await ticksOf(pids) };
    await wait(LOOK_MS);
    const after = { writes: await versions(cluster), ticks: await ticksOf(pids) };
    const changed = [...after.writes].filter(([key, version]) => before.writes.get(key) !== version).length;
    const gone = [...before.writes.keys()].filter((key) => !after.writes.has(key)).length;
    const minutes = LOOK_MS / 60_000;
    const cpu = Object.keys(pids).map((part) => {
      const seconds = ((after.ticks[part] ?? 0) - (before.ticks[part] ?? 0)) / TICKS_PER_SECOND;
      return figure(`at rest, CPU of ${part}`, (seconds / (LOOK_MS / 1000)) * 100, '% of a core');
    });
    return [
      atMost('at rest, objects written besides leases', (changed + gone) / minutes, 'a minute', 0),
      ...cpu,
    ];
  } finally {
    await remove(cluster, watch, names);
    watch.close();
  }
}

/** resourceVersion of every object but leases. */
async function versions(cluster: BenchCluster): Promise<Map<string, string>> {
  const kinds = 'nodes,storagepools,containers,events,namespaces,configmaps,secrets';
  const text = await cluster.kubectl(['get', kinds, '-A', '-o', 'json']);
  const { items } = JSON.parse(text) as {
    items: { kind: string; metadata: { namespace?: string; name: string; resourceVersion: string } }[];
  };
  return new Map(
    items.map(({ kind, metadata }) => [
      `${kind}/${metadata.namespace ?? ''}/${metadata.name}`,
      metadata.resourceVersion,
    ]),
  );
}

/**
 * User and system time of each process, in ticks.
 * @param children whether that of the processes counts that it has started and waited for
 */
export async function ticksOf(
  pids: Readonly<Record<string, number>>,
  { children = false }: { children?: boolean } = {},
): Promise<Record<string, number>> {
  const ticks: Record<string, number> = {};
  for (const [part, pid] of Object.entries(pids)) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const own = Number(fields[11]) + Number(fields[12]);
    ticks[part] = children ? own + Number(fields[13]) + Number(fields[14]) : own;
  }
  return ticks;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
