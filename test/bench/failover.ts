import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { localPaths, SHARED_DIR } from '../../src/config/local.ts';
import { findCompartment, stopCompartment } from '../../src/cmd/local/compartment.ts';
import { networkOf, SWITCH } from '../../src/cmd/local/network.ts';
import type { Container } from '../../src/crds/container.ts';
import { FLAPPING_TAINT } from '../../src/crds/kind.ts';
import { systemClock as clock } from '../../src/ports/clock.ts';
import { BEAT_IMAGE } from '../faults/cluster.ts';
import { BEAT_PATH, buildHeartbeatImage } from '../faults/heartbeat-image.ts';
import { readBeats } from '../faults/record.ts';
import { livesOf } from '../faults/validate/heartbeats.ts';
import { type ContainerWatch, IMAGE, isRunning, numbered, watchContainers } from './containers.ts';
import { remove } from './create.ts';
import { atLeast, atMost, type Figure, figure, quantile } from './figure.ts';
import type { BenchCluster } from './local-cluster.ts';

const KILLS_MS = 6 * 60_000;
const KILLS = 20;
const CUTS = 5;
/** More than duration + fenceDelay at their defaults, and what comes after. */
const CUT_MS = 13_000;
const MANY = 30;
const VOLUME_POOL = 'failover';

/** Hosts that are lost, and hosts that are cut off: how long their containers are away, and what lies between two starts. */
export async function failover(cluster: BenchCluster): Promise<Figure[]> {
  const watch = await watchContainers(cluster.kubeconfig);
  const paths = localPaths(cluster.stateDir);
  const image = join(dirname(paths.image), 'heartbeat.tar.gz');
  const names = numbered('lost', 6);
  try {
    if (!existsSync(image)) await buildHeartbeatImage(paths.image, image);
    await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(poolObject()));
    await delay(3_000);
    await cluster.kubectl(['apply', '-f', '-'], manifest(names, true));
    await watch.until(names, isRunning);
    const killed = await hostsKilled(cluster, watch, names);
    const cut = await linksCut(cluster, watch, names);
    await remove(cluster, watch, names);
    return [...killed, ...cut, ...(await manyAtOnce(cluster, watch))];
  } finally {
    watch.close();
  }
}

/** From pulling the plug of a host to each of its containers Running on another one. */
async function hostsKilled(
  cluster: BenchCluster,
  watch: ContainerWatch,
  names: readonly string[],
): Promise<Figure[]> {
  const untilMs = clock.monotonicMs() + KILLS_MS;
  const takenMs: number[] = [];
  let kills = 0;
  while (kills < KILLS && clock.monotonicMs() < untilMs) {
    const { host, own } = mostOn(watch, names);
    const begun = performance.now();
    await stopCompartment(cluster.stateDir, host);
    const ends = await Promise.all(own.map((name) => watch.until([name], isElsewhere(host))));
    takenMs.push(...ends.map((end) => end - begun));
    kills += 1;
    await backUp(cluster, watch, names);
  }
  const what = `host killed: its containers Running elsewhere (${kills} hosts, ${takenMs.length} containers)`;
  return [
    atMost(`${what}, p50`, quantile(takenMs, 0.5) / 1_000, 's', 10),
    atMost(`${what}, p99`, quantile(takenMs, 0.99) / 1_000, 's', 10),
  ];
}

/** By the heartbeats: the last one on the host that is cut off, and the first one elsewhere. */
async function linksCut(
  cluster: BenchCluster,
  watch: ContainerWatch,
  names: readonly string[],
): Promise<Figure[]> {
  const bridge = findCompartment(cluster.stateDir, SWITCH);
  if (bridge === undefined) throw new Error('The switch between the hosts does not run');
  const network = networkOf(bridge);
  const stoppedMs: number[] = [];
  const marginMs: number[] = [];
  for (let index = 0; index < CUTS; index++) {
    const { host, own } = mostOn(watch, names);
    const cutMs = clock.monotonicMs();
    await network.setLink(host, false);
    await delay(CUT_MS);
    await watch.until(own, isElsewhere(host));
    const spans = own.map((name) => lastTwo(cluster, name));
    stoppedMs.push(Math.max(...spans.map(({ before }) => before.lastMs - cutMs)));
    marginMs.push(...spans.map(({ before, after }) => after.firstMs - before.lastMs));
    await backUp(cluster, watch, names);
  }
  const many = `${CUTS} cuts, ${marginMs.length} containers`;
  return [
    figure(
      `link cut: the last container there has stopped, slowest (${many})`,
      Math.max(...stoppedMs) / 1_000,
      's',
    ),
    figure('link cut: the same, p50', quantile(stoppedMs, 0.5) / 1_000, 's'),
    atLeast(
      'link cut: from the last heartbeat there to the first elsewhere, smallest',
      Math.min(...marginMs) / 1_000,
      's',
      0.001,
    ),
  ];
}

/** Many containers of one host: from the first that runs elsewhere to the last. */
async function manyAtOnce(cluster: BenchCluster, watch: ContainerWatch): Promise<Figure[]> {
  const names = numbered('many', MANY);
  const [host, ...others] = cluster.hosts.map(({ name }) => name) as [string, ...string[]];
  for (const other of others) await cordon(cluster, other, true);
  await cluster.kubectl(['apply', '-f', '-'], manifest(names, false));
  await watch.until(names, isRunning);
  for (const other of others) await cordon(cluster, other, false);
  const begun = performance.now();
  await stopCompartment(cluster.stateDir, host);
  const ends = await Promise.all(names.map((name) => watch.until([name], isElsewhere(host))));
  const [first, last] = [Math.min(...ends), Math.max(...ends)];
  await backUp(cluster, watch, names);
  await remove(cluster, watch, names);
  return [
    figure(
      `host with ${MANY} containers killed: the first is Running elsewhere`,
      (first - begun) / 1_000,
      's',
    ),
    atMost(`host with ${MANY} containers killed: the last, after the first`, (last - first) / 1_000, 's', 6),
  ];
}

function isElsewhere(host: string): (container: Container | undefined) => boolean {
  return (container) => isRunning(container) && container?.status?.nodeName !== host;
}

function mostOn(watch: ContainerWatch, names: readonly string[]): { host: string; own: string[] } {
  const byHost = Map.groupBy(names, (name) => watch.get(name)?.status?.nodeName ?? '');
  const [most] = [...byHost].sort(([, one], [, other]) => other.length - one.length);
  if (most === undefined) throw new Error('There are no containers');
  return { host: most[0], own: most[1] };
}

/** All hosts are there again, and may be lost again. */
async function backUp(cluster: BenchCluster, watch: ContainerWatch, names: readonly string[]): Promise<void> {
  await cluster.up();
  await watch.until(names, isRunning);
  // The brake wants a majority that has held for duration + fenceDelay: a loss before is another figure.
  await delay(2_000);
}

function lastTwo(cluster: BenchCluster, name: string) {
  const [before, after] = livesOf(readBeats(localPaths(cluster.stateDir).shared, name)).slice(-2);
  if (before === undefined || after === undefined) throw new Error(`${name} was not started a second time`);
  return { before, after };
}

async function cordon(cluster: BenchCluster, host: string, unschedulable: boolean): Promise<void> {
  const patch = JSON.stringify({ spec: { unschedulable } });
  await cluster.kubectl(['patch', 'node.hostler.dev', host, '--type=merge', '-p', patch]);
}

function poolObject(): object {
  return {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'StoragePool',
    metadata: { name: VOLUME_POOL },
    spec: { driver: 'dir', access: 'Shared', source: SHARED_DIR },
  };
}

function manifest(names: readonly string[], hasBeat: boolean): string {
  const beat = { image: BEAT_IMAGE, volumes: [{ name: 'beat', pool: VOLUME_POOL, path: BEAT_PATH }] };
  const documents = names.map((name) => ({
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { name, namespace: 'default' },
    spec: {
      image: IMAGE,
      stopTimeout: '1s',
      failover: { policy: 'Recreate' },
      // The same hosts are lost again and again.
      placement: { tolerations: [{ key: FLAPPING_TAINT, operator: 'Exists' }] },
      ...(hasBeat ? beat : {}),
    },
  }));
  return documents.map((document) => `---\n${JSON.stringify(document)}\n`).join('');
}
