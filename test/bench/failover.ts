import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { localPaths, SHARED_DIR } from '../../src/config/local.ts';
import { findCompartment, stopCompartment } from '../../src/cmd/local/compartment.ts';
import { networkOf, SWITCH } from '../../src/cmd/local/network.ts';
import type { Container } from '../../src/crds/container.ts';
import { FLAPPING_TAINT } from '../../src/crds/kind.ts';
import { type LeaseTiming, leaseTimingMs } from '../../src/crds/lease-timing.ts';
import { systemClock as clock } from '../../src/ports/clock.ts';
import { BEAT_IMAGE } from '../faults/cluster.ts';
import { BEAT_PATH, buildHeartbeatImage } from '../faults/heartbeat-image.ts';
import { createBeatReader } from '../faults/beats.ts';
import { livesOf } from '../faults/validate/heartbeats.ts';
import { type ContainerWatch, IMAGE, isRunning, numbered, watchContainers } from './containers.ts';
import { rawSeconds, remove, warmUp } from './create.ts';
import { atLeast, atMost, type Figure, figure, quantile } from './figure.ts';
import type { BenchCluster } from './local-cluster.ts';
import { recoveryTimes, type RecoveryTimes } from './recovery-times.ts';

const KILLS_MS = 6 * 60_000;
const CUTS = 5;
const MANY = 30;
const AFTER_CUT_MS = 5_000;
const VOLUME_POOL = 'failover';

/** A timing of the node leases, and what is wanted with it. */
export interface Timed {
  /** Before the names of the figures. */
  label: string;
  nodeLease: LeaseTiming;
  goalSeconds: number;
}
export const DEFAULTS: Timed = {
  label: 'defaults',
  nodeLease: { renew: '1s', duration: '5s', fenceDelay: '3s' },
  goalSeconds: 10,
};
export const QUICK: Timed = {
  label: '2s + 1s',
  nodeLease: { renew: '400ms', duration: '2s', fenceDelay: '1s' },
  goalSeconds: 4.5,
};

/** What a measurement is taken on. */
interface Scene {
  cluster: BenchCluster;
  watch: ContainerWatch;
  timed: Timed;
}

/** Hosts that are lost and hosts that are cut off, at one timing. */
export const failoverAt =
  (timed: Timed, kills: number) =>
  async (cluster: BenchCluster): Promise<Figure[]> => {
    await setTiming(cluster, timed.nodeLease);
    return await lostHosts(cluster, timed, kills);
  };

/** How long containers are away, and what lies between two starts. */
async function lostHosts(cluster: BenchCluster, timed: Timed, kills: number): Promise<Figure[]> {
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
    const losses = await hostsKilled({ cluster, watch, timed }, names, kills);
    const cuts = await linksCut({ cluster, watch, timed }, names);
    await remove(cluster, watch, names);
    return [...losses, ...cuts];
  } finally {
    watch.close();
  }
}

/** From pulling the plug of a host to each of its containers Running on another one. */
async function hostsKilled(
  { cluster, watch, timed: { label, goalSeconds } }: Scene,
  names: readonly string[],
  most: number,
): Promise<Figure[]> {
  const untilMs = clock.monotonicMs() + KILLS_MS;
  const times: RecoveryTimes[] = [];
  let kills = 0;
  while (kills < most && clock.monotonicMs() < untilMs) {
    const { host, own } = mostOn(watch, names);
    times.push(await killed(cluster, watch, { host, names: own }));
    kills += 1;
    await backUp(cluster, watch, names);
  }
  const takenMs = times.flatMap(({ runningMs }) => runningMs);
  const fencedMs = times.map((one) => one.fencedMs);
  const placedMs = times.flatMap((one) => one.placedMs.map((ms) => ms - one.fencedMs));
  const startedMs = times.flatMap(({ runningMs, placedMs: from }) =>
    runningMs.map((ms, index) => ms - (from[index] ?? ms)),
  );
  const what = `${label}: host killed: its containers Running elsewhere (${kills} hosts, ${takenMs.length} containers)`;
  const part = (name: string, values: readonly number[]): Figure[] =>
    [0.5, 0.99].map((at) =>
      figure(`${label}: of this, ${name}, p${at * 100}`, quantile(values, at) / 1_000, 's'),
    );
  return [
    atMost(`${what}, p50`, quantile(takenMs, 0.5) / 1_000, 's', goalSeconds),
    atMost(`${what}, p99`, quantile(takenMs, 0.99) / 1_000, 's', goalSeconds),
    ...part('until the lease is revoked', fencedMs),
    ...part('from there to the placement', placedMs),
    ...part('from there to Running', startedMs),
  ];
}

/** Pulls the plug of `host`. */
async function killed(
  cluster: BenchCluster,
  watch: ContainerWatch,
  { host, names }: { host: string; names: readonly string[] },
): Promise<RecoveryTimes> {
  const times = recoveryTimes(cluster.kubeconfig, watch, { host, names, begunMs: performance.now() });
  const [found] = await Promise.all([times, stopCompartment(cluster.stateDir, host)]);
  return found;
}

/** By the heartbeats: the last one on the host that is cut off, and the first one elsewhere. */
async function linksCut(
  { cluster, watch, timed: { label, nodeLease } }: Scene,
  names: readonly string[],
): Promise<Figure[]> {
  const ms = leaseTimingMs(nodeLease);
  // More than the lease and its fence delay, and what comes after.
  const cutForMs = (ms?.durationMs ?? 0) + (ms?.fenceDelayMs ?? 0) + AFTER_CUT_MS;
  const bridge = findCompartment(cluster.stateDir, SWITCH);
  if (bridge === undefined) throw new Error('The switch between the hosts does not run');
  const network = networkOf(bridge);
  const stoppedMs: number[] = [];
  const marginMs: number[] = [];
  for (let index = 0; index < CUTS; index++) {
    const { host, own } = mostOn(watch, names);
    const cutMs = clock.monotonicMs();
    await network.setLink(host, false);
    await delay(cutForMs);
    await watch.until(own, isElsewhere(host));
    const spans = own.map((name) => lastTwo(cluster, name));
    stoppedMs.push(Math.max(...spans.map(({ before }) => before.lastMs - cutMs)));
    marginMs.push(...spans.map(({ before, after }) => after.firstMs - before.lastMs));
    await backUp(cluster, watch, names);
  }
  const many = `${CUTS} cuts, ${marginMs.length} containers`;
  return [
    figure(
      `${label}: link cut: the last container there has stopped, slowest (${many})`,
      Math.max(...stoppedMs) / 1_000,
      's',
    ),
    figure(`${label}: link cut: the same, p50`, quantile(stoppedMs, 0.5) / 1_000, 's'),
    atLeast(
      `${label}: link cut: from the last heartbeat there to the first elsewhere, smallest`,
      Math.min(...marginMs) / 1_000,
      's',
      0.001,
    ),
  ];
}

/**
 * Many containers of one host, at the defaults: from the first that runs elsewhere to the last. To be measured before hosts
 * are lost again and again, after which they get no new containers for a while.
 */
export async function failoverMany(cluster: BenchCluster): Promise<Figure[]> {
  const watch = await watchContainers(cluster.kubeconfig);
  try {
    return await manyAtOnce(cluster, watch);
  } finally {
    watch.close();
  }
}

async function manyAtOnce(cluster: BenchCluster, watch: ContainerWatch): Promise<Figure[]> {
  const names = numbered('many', MANY);
  const fingerprint = await warmUp(cluster, watch);
  const [host, ...others] = cluster.hosts.map(({ name }) => name) as [string, ...string[]];
  for (const other of others) await cordon(cluster, other, true);
  await cluster.kubectl(['apply', '-f', '-'], manifest(names, false));
  await watch.until(names, isRunning);
  for (const other of others) await cordon(cluster, other, false);
  const { fencedMs, placedMs, runningMs } = await killed(cluster, watch, { host, names });
  const [first, last] = [Math.min(...runningMs), Math.max(...runningMs)];
  await backUp(cluster, watch, names);
  await remove(cluster, watch, names);
  const what = `host with ${MANY} containers killed`;
  const raw = await rawSeconds(cluster.hosts.slice(1), MANY, fingerprint);
  return [
    figure(`${what}: the lease is revoked`, fencedMs / 1_000, 's'),
    figure(`${what}: the last is placed, after that`, (Math.max(...placedMs) - fencedMs) / 1_000, 's'),
    figure(
      `${what}: the first is Running, after its placement`,
      (first - Math.min(...placedMs)) / 1_000,
      's',
    ),
    figure(`${what}: the first is Running elsewhere`, first / 1_000, 's'),
    atMost(`${what}: the last, after the first`, (last - first) / 1_000, 's', 6),
    figure(`the same ${MANY} created and started by two raw daemons, 8 at once each`, raw, 's'),
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
  const [before, after] = livesOf(createBeatReader(localPaths(cluster.stateDir).shared).read(name)).slice(-2);
  if (before === undefined || after === undefined) throw new Error(`${name} was not started a second time`);
  return { before, after };
}

async function cordon(cluster: BenchCluster, host: string, unschedulable: boolean): Promise<void> {
  const patch = JSON.stringify({ spec: { unschedulable } });
  await cluster.kubectl(['patch', 'node.hostler.dev', host, '--type=merge', '-p', patch]);
}

async function setTiming(cluster: BenchCluster, nodeLease: LeaseTiming): Promise<void> {
  const policy = {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'ClusterPolicy',
    metadata: { name: 'cluster' },
    spec: { nodeLease },
  };
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(policy));
  for (const { name } of cluster.hosts) {
    const path = `jsonpath={.status.lease.duration}=${nodeLease.duration}`;
    await cluster.kubectl(['wait', 'nodes.hostler.dev', name, `--for=${path}`, '--timeout=60s']);
  }
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
