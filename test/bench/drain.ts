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
 * A host with ten containers that run is emptied, and filled again: from the request to the last one Running elsewhere, and back; in turns with
 * the same moves of ten others by the daemons' own requests alone.
 */
export async function drain(cluster: BenchCluster): Promise<Figure[]> {
  const watch = await watchContainers(cluster.kubeconfig);
  const names = numbered('drained', COUNT);
  const others = cluster.hosts.map(({ name }) => name).filter((name) => name !== HOST);
  try {
    for (const other of others) await patchNode(cluster, other, { unschedulable: true });
    await cluster.kubectl(['apply', '-f', '-'], manifest(names));
    await watch.until(names, isRunning);
    for (const other of others) await patchNode(cluster, other, { unschedulable: false });
    const raw = await rawScene(cluster, watch.get(names[0] ?? '')?.status?.imageFingerprint ?? '');
    const scene = { cluster, watch, names, raw };
    const figures: Figure[] = [];
    for (const limit of [DEFAULT_LIMIT, HIGH_LIMIT]) {
      await setLimit(cluster, limit);
      figures.push(...(await rounds(scene, limit)));
    }
    await removeRawSet(raw.home, raw.names);
    await remove(cluster, watch, names);
    return figures;
  } finally {
    watch.close();
    await cluster.kubectl(['delete', 'clusterpolicy', 'cluster', '--ignore-not-found']);
  }
}

interface Scene {
  cluster: BenchCluster;
  watch: ContainerWatch;
  names: readonly string[];
  raw: RawScene;
}

interface RawScene {
  names: readonly string[];
  home: RawHost;
  guests: readonly RawHost[];
}

async function rawScene({ hosts }: BenchCluster, fingerprint: string): Promise<RawScene> {
  const [home, ...guests] = hosts.map(({ socketPath }, index) => ({
    socketPath,
    address: `https://${hostAddresses(index + 1).address}:${DAEMON_PORT}`,
  }));
  if (home === undefined) throw new Error('There are no hosts');
  const names = numbered('raw-drained', COUNT);
  await createRawSet(home, names, fingerprint);
  return { names, home, guests };
}

async function rounds(scene: Scene, limit: number): Promise<Figure[]> {
  const { home, guests, names } = scene.raw;
  const took: Record<'drain' | 'restore', { raw: number[]; ours: number[] }> = {
    drain: { raw: [], ours: [] },
    restore: { raw: [], ours: [] },
  };
  const cost: Cost = { ours: {}, raw: {} };
  for (let round = 0; round < ROUNDS; round++) {
    const raw = (ways: Parameters<typeof drainRaw>[0]) =>
      counted(scene, cost.raw, () => drainRaw(ways, names, limit));
    took.drain.raw.push(await raw(guests.map((guest) => ({ source: home, target: guest }))));
    took.restore.raw.push(await raw(guests.map((guest) => ({ source: guest, target: home }))));
    const ours = (maintenance: string, isThere: typeof isBack) =>
      counted(scene, cost.ours, () => timed(scene, { maintenance, isThere }));
    took.drain.ours.push(await ours('Drain', isElsewhere));
    took.restore.ours.push(await ours('None', isBack));
  }
  process.stderr.write(`${JSON.stringify({ limit, took })}\n`);
  const how = `${limit} at once${limit === DEFAULT_LIMIT ? ', the default' : ''}; median of ${ROUNDS}`;
  const times = Object.entries(took).flatMap(([what, { raw, ours }]) => [
    figure(`${what} of ${COUNT}, the daemons' requests alone (${how})`, quantile(raw, 0.5) / 1_000, 's'),
    atMost(`${what} of ${COUNT} running containers (${how})`, quantile(ours, 0.5) / 1_000, 's', GOAL_S),
  ]);
  return [...times, ...costFigures(cost, limit)];
}

/** CPU seconds by part of the cluster. */
interface Cost {
  ours: Record<string, number>;
  raw: Record<string, number>;
}

/** What the processes of the cluster, and those that they start, use meanwhile; of a drain also its wait for the sources' copies to go. */
async function counted(
  { cluster }: Scene,
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

function costFigures({ ours, raw }: Cost, limit: number): Figure[] {
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
  { cluster, watch, names }: Scene,
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
