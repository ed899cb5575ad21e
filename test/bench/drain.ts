import { DAEMON_PORT, hostAddresses } from '../../src/config/local.ts';
import type { Container } from '../../src/crds/container.ts';
import { type ContainerWatch, IMAGE, isRunning, numbered, watchContainers } from './containers.ts';
import { remove } from './create.ts';
import { atMost, type Figure, figure, quantile } from './figure.ts';
import type { BenchCluster } from './local-cluster.ts';
import { createRawSet, drainRaw, removeRawSet } from './raw-drain.ts';
import type { RawHost } from './raw-move.ts';
import { TICKS_PER_SECOND, ticksOf } from './rest.ts';

const COUNT = 10;
const ROUNDS = 3;
const HOST = 'host-1';
const GOAL_S = 6;
/** Migrations that leave, or come to, one node at once. */
const DEFAULT_LIMIT = 2;
const HIGH_LIMIT = 5;

/**
 * A host with ten containers that run is emptied, and filled again: from the request to the last one Running elsewhere, and back; then, in
 * their place, ten others are moved in the same way by the daemons' own requests alone.
 */
export async function drain(cluster: BenchCluster): Promise<Figure[]> {
  const watch = await watchContainers(cluster.kubeconfig);
  try {
    const figures: Figure[] = [];
    for (const limit of [DEFAULT_LIMIT, HIGH_LIMIT]) {
      await setLimit(cluster, limit);
      const { fingerprint, ...ours } = await drainOurs({ cluster, watch });
      figures.push(...figuresOf(limit, { ours, raw: await drainOthers(cluster, fingerprint, limit) }));
    }
    return figures;
  } finally {
    watch.close();
    await cluster.kubectl(['delete', 'clusterpolicy', 'cluster', '--ignore-not-found']);
  }
}

interface Scene {
  cluster: BenchCluster;
  watch: ContainerWatch;
}

/** Milliseconds of each round, and CPU seconds of all of them by part of the cluster. */
interface Taken {
  drain: number[];
  restore: number[];
  cost: Record<string, number>;
}

async function drainOurs({ cluster, watch }: Scene): Promise<Taken & { fingerprint: string }> {
  const names = numbered('drained', COUNT);
  const others = cluster.hosts.map(({ name }) => name).filter((name) => name !== HOST);
  for (const other of others) await patchNode(cluster, other, { unschedulable: true });
  await cluster.kubectl(['apply', '-f', '-'], manifest(names));
  await watch.until(names, isRunning);
  for (const other of others) await patchNode(cluster, other, { unschedulable: false });
  const fingerprint = watch.get(names[0] ?? '')?.status?.imageFingerprint ?? '';
  const go = (maintenance: string, isThere: typeof isBack) => () =>
    timed({ cluster, watch }, names, { maintenance, isThere });
  const taken = await rounds(cluster, go('Drain', isElsewhere), go('None', isBack));
  await remove(cluster, watch, names);
  return { ...taken, fingerprint };
}

async function drainOthers(cluster: BenchCluster, fingerprint: string, limit: number): Promise<Taken> {
  const [home, ...guests] = cluster.hosts.map(({ socketPath }, index): RawHost => ({
    socketPath,
    address: `https://${hostAddresses(index + 1).address}:${DAEMON_PORT}`,
  }));
  if (home === undefined) throw new Error('There are no hosts');
  const names = numbered('raw-drained', COUNT);
  await createRawSet(home, names, fingerprint);
  const away = guests.map((guest) => ({ source: home, target: guest }));
  const back = guests.map((guest) => ({ source: guest, target: home }));
  const taken = await rounds(
    cluster,
    () => drainRaw(away, names, limit),
    () => drainRaw(back, names, limit),
  );
  await removeRawSet(home, names);
  return taken;
}

async function rounds(
  cluster: BenchCluster,
  drainOnce: () => Promise<number>,
  restoreOnce: () => Promise<number>,
): Promise<Taken> {
  const taken: Taken = { drain: [], restore: [], cost: {} };
  for (let round = 0; round < ROUNDS; round++) {
    taken.drain.push(await counted(cluster, taken.cost, drainOnce));
    taken.restore.push(await counted(cluster, taken.cost, restoreOnce));
  }
  return taken;
}

function figuresOf(limit: number, taken: { ours: Taken; raw: Taken }): Figure[] {
  process.stderr.write(`${JSON.stringify({ limit, taken })}\n`);
  const { ours, raw } = taken;
  const how = `${limit} at once${limit === DEFAULT_LIMIT ? ', the default' : ''}; median of ${ROUNDS}`;
  const times = (['drain', 'restore'] as const).flatMap((what) => [
    figure(
      `${what} of ${COUNT}, the daemons' requests alone (${how})`,
      quantile(raw[what], 0.5) / 1_000,
      's',
    ),
    atMost(`${what} of ${COUNT} running containers (${how})`, quantile(ours[what], 0.5) / 1_000, 's', GOAL_S),
  ]);
  return [...times, ...costFigures(ours.cost, raw.cost, limit)];
}

/** What the processes of the cluster, and those that they start, use meanwhile; of a drain also its wait for the sources' copies to go. */
async function counted(
  cluster: BenchCluster,
  cost: Record<string, number>,
  run: () => Promise<number>,
): Promise<number> {
  const pids = await cluster.pids();
  const before = await ticksOf(pids, { children: true });
  const ms = await run();
  const after = await ticksOf(pids, { children: true });
  for (const part of Object.keys(pids)) {
    const group = part.endsWith(' daemon') ? 'daemons' : /agent|guard/.test(part) ? 'agents' : part;
    const seconds = ((after[part] ?? 0) - (before[part] ?? 0)) / TICKS_PER_SECOND;
    cost[group] = (cost[group] ?? 0) + seconds;
  }
  return ms;
}

function costFigures(ours: Record<string, number>, raw: Record<string, number>, limit: number): Figure[] {
  const moves = COUNT * ROUNDS * 2;
  const all = Object.values(ours).reduce((sum, seconds) => sum + seconds, 0);
  return [
    figure(
      `CPU of one move, the daemons' requests alone (${limit} at once)`,
      (raw['daemons'] ?? 0) / moves,
      's',
    ),
    figure(`CPU of one move (${limit} at once)`, all / moves, 's'),
    ...Object.entries(ours).map(([part, seconds]) => figure(`  of this, ${part}`, seconds / moves, 's')),
  ];
}

/** @returns milliseconds until all of them run where they are to be; the next round waits until nothing of the move is left */
async function timed(
  { cluster, watch }: Scene,
  names: readonly string[],
  { maintenance, isThere }: { maintenance: string; isThere: typeof isBack },
): Promise<number> {
  const begun = performance.now();
  await patchNode(cluster, HOST, { maintenance });
  const done = await watch.until(names, isThere);
  const phase = maintenance === 'Drain' ? 'Drained' : 'Restored';
  await cluster.kubectl([
    'wait',
    `--for=jsonpath={.status.drain.phase}=${phase}`,
    `node/${HOST}`,
    '--timeout=60s',
  ]);
  return done - begun;
}

function isElsewhere(container: Container | undefined): boolean {
  return isSettled(container) && container?.status?.nodeName !== HOST;
}

function isBack(container: Container | undefined): boolean {
  return isSettled(container) && container?.status?.nodeName === HOST;
}

function isSettled(container: Container | undefined): boolean {
  return isRunning(container) && container?.status?.migration === undefined;
}

async function patchNode(cluster: BenchCluster, host: string, spec: object): Promise<void> {
  await cluster.kubectl(['patch', 'node.hostler.dev', host, '--type=merge', '-p', JSON.stringify({ spec })]);
}

async function setLimit(cluster: BenchCluster, limit: number): Promise<void> {
  const policy = {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'ClusterPolicy',
    metadata: { name: 'cluster' },
    spec: { migration: { outgoingPerNode: limit, incomingPerNode: limit } },
  };
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(policy));
}

function manifest(names: readonly string[]): string {
  const documents = names.map((name) => ({
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { name, namespace: 'default' },
    spec: { image: IMAGE, stopTimeout: '1s', migration: { policy: 'Cold' } },
  }));
  return documents.map((document) => `---\n${JSON.stringify(document)}\n`).join('');
}
