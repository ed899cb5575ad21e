import type { Container } from '../../src/crds/container.ts';
import { type ContainerWatch, IMAGE, isRunning, numbered, watchContainers } from './containers.ts';
import { remove } from './create.ts';
import { atMost, type Figure, quantile } from './figure.ts';
import type { BenchCluster } from './local-cluster.ts';

const COUNT = 10;
const ROUNDS = 3;
const HOST = 'host-1';
const GOAL_S = 6;
/** Migrations that leave, or come to, one node at once. */
const DEFAULT_LIMIT = 2;
const HIGH_LIMIT = 5;

/** A host with ten containers that run is emptied, and filled again: from the request to the last one Running elsewhere, and back. */
export async function drain(cluster: BenchCluster): Promise<Figure[]> {
  const watch = await watchContainers(cluster.kubeconfig);
  const names = numbered('drained', COUNT);
  const others = cluster.hosts.map(({ name }) => name).filter((name) => name !== HOST);
  try {
    for (const other of others) await patchNode(cluster, other, { unschedulable: true });
    await cluster.kubectl(['apply', '-f', '-'], manifest(names));
    await watch.until(names, isRunning);
    for (const other of others) await patchNode(cluster, other, { unschedulable: false });
    const figures: Figure[] = [];
    for (const limit of [DEFAULT_LIMIT, HIGH_LIMIT]) {
      await setLimit(cluster, limit);
      figures.push(...(await rounds(cluster, watch, names, limit)));
    }
    await remove(cluster, watch, names);
    return figures;
  } finally {
    watch.close();
    await cluster.kubectl(['delete', 'clusterpolicy', 'cluster', '--ignore-not-found']);
  }
}

async function rounds(
  cluster: BenchCluster,
  watch: ContainerWatch,
  names: readonly string[],
  limit: number,
): Promise<Figure[]> {
  const drains: number[] = [];
  const restores: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    drains.push(await timed(cluster, watch, names, { maintenance: 'Drain', isThere: isElsewhere }));
    restores.push(await timed(cluster, watch, names, { maintenance: 'None', isThere: isBack }));
  }
  const how = `${limit} at once${limit === DEFAULT_LIMIT ? ', the default' : ''}; median of ${ROUNDS}`;
  const [drained, restored] = [quantile(drains, 0.5) / 1_000, quantile(restores, 0.5) / 1_000];
  return [
    atMost(`drain of ${COUNT} running containers (${how})`, drained, 's', GOAL_S),
    atMost(`restore of ${COUNT} running containers (${how})`, restored, 's', GOAL_S),
  ];
}

/** @returns milliseconds until all of them run where they are to be; the next round waits until nothing of the move is left */
async function timed(
  cluster: BenchCluster,
  watch: ContainerWatch,
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
