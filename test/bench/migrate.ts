import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCompartment } from '../../src/cmd/local/compartment.ts';
import { daemonRequest } from '../../src/cmd/local/daemon.ts';
import { AGENT, logOf } from '../../src/cmd/local/parts.ts';
import { DAEMON_PORT, hostAddresses, LIVE_FOLDER } from '../../src/config/local.ts';
import type { Container } from '../../src/crds/container.ts';
import { makeCounting } from '../support/counting-container.ts';
import { type InsideNetwork, openInsideNetwork } from '../support/inside-network.ts';
import { LAN, openLan } from '../support/shared-lan.ts';
import { type ContainerWatch, IMAGE, isRunning, watchContainers } from './containers.ts';
import { remove } from './create.ts';
import { atMost, type Figure, figure, quantile } from './figure.ts';
import { type BenchCluster, startBenchCluster } from './local-cluster.ts';
import { type Case, casesOf, type Load, MADE_POOLS, POOLS, ROUNDS, titleOf } from './migrate-cases.ts';
import { PauseProbe } from './pause-probe.ts';
import { createRaw, moveRaw, type RawHost, removeRaw, startRaw } from './raw-move.ts';

const MEGA = 1_000_000;
const HEARD_MS = 60_000;
const PAUSE_TIMES = 1.2;
const MORE_S = 1;
/** Of a cold move of a 200 MB root; an Incus cluster on the same machine: 4.8 to 7.3 s. */
const COLD_200_S = 1.5;

interface Scene {
  cluster: BenchCluster;
  watch: ContainerWatch;
  hosts: readonly [SceneHost, SceneHost];
  /** Of the client that listens: in the network of the third host, which nothing moves to. */
  client: InsideNetwork;
}

interface SceneHost extends RawHost {
  name: string;
  pathIn(pool: string, instance: string): string;
}

interface Measured {
  pauseMs: number;
  totalMs: number;
  dropped: number;
}

/** Moves, live and cold, on both kinds of pool: Hostler's beside the daemons' own requests, on the same hosts. */
export async function measureMigrations(): Promise<Figure[]> {
  const isLive = existsSync(`${LIVE_FOLDER}/bin/criu`);
  if (!isLive) process.stderr.write('no criu on this machine (scripts/setup --live): cold moves only\n');
  const cluster = await startBenchCluster({ live: isLive });
  let scene: Scene | undefined;
  const figures: Figure[] = [];
  try {
    scene = await setUp(cluster);
    for (const one of casesOf(isLive)) {
      const found = await measure(scene, one);
      process.stderr.write(found.map(({ name, value, unit }) => `${name}: ${value} ${unit}\n`).join(''));
      figures.push(...found);
    }
    return figures;
  } finally {
    scene?.watch.close();
    await scene?.client.stop();
    // A cluster is removed only where nothing else is.
    await rm(probeFolder(cluster), { recursive: true, force: true });
    await cluster.down();
  }
}

async function measure(scene: Scene, given: Case): Promise<Figure[]> {
  const { load, live, pool } = given;
  const raws: Measured[] = [];
  const all: Measured[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    raws.push(await measureRaw(scene, given));
    all.push(await measureOurs(scene, given, round));
  }
  process.stderr.write(`${JSON.stringify({ case: given.name, pool, live, raws, all })}\n`);
  const [raw, ours] = [medians(raws), medians(all)];
  const what = titleOf(given);
  const seconds = (ms: number): number => ms / 1_000;
  return [
    figure(`${what}: pause, the daemons' requests alone`, seconds(raw.pauseMs), 's'),
    atMost(
      `${what}: pause, Hostler`,
      seconds(ours.pauseMs),
      's',
      Number((seconds(raw.pauseMs) * PAUSE_TIMES).toFixed(2)),
    ),
    ...(load.rootMegabytes === 200
      ? [atMost(`${what}: pause, Hostler`, seconds(ours.pauseMs), 's', COLD_200_S)]
      : []),
    figure(`${what}: in all, the daemons' requests alone`, seconds(raw.totalMs), 's'),
    atMost(
      `${what}: in all, Hostler`,
      seconds(ours.totalMs),
      's',
      Number((seconds(raw.totalMs) + MORE_S).toFixed(2)),
    ),
    ...(live ? [atMost(`${what}: TCP connections lost, Hostler`, ours.dropped, '', 0)] : []),
  ];
}

/** Of connections lost it is the sum: none of them is allowed. */
function medians(measured: readonly Measured[]): Measured {
  const middle = (of: (one: Measured) => number): number => quantile(measured.map(of), 0.5);
  return {
    pauseMs: middle(({ pauseMs }) => pauseMs),
    totalMs: middle(({ totalMs }) => totalMs),
    dropped: measured.reduce((sum, { dropped }) => sum + dropped, 0),
  };
}

async function measureRaw(scene: Scene, { pool, load, live }: Case): Promise<Measured> {
  const [source, target] = scene.hosts;
  const move = { name: 'raw-moved', pool, network: LAN, live };
  const images = (await daemonRequest(source.socketPath, 'GET', '/1.0/images')) as string[];
  await createRaw(source, move, images[0]?.split('/').at(-1) ?? '');
  await fill(source.pathIn(pool, move.name), load, RAW_ADDRESS);
  await startRaw(source, move.name);
  const measured = await probed(scene, RAW_ADDRESS, () => moveRaw(source, target, move));
  await removeRaw(target, move.name);
  await removeRaw(source, move.name);
  return measured;
}

const RAW_ADDRESS = '10.88.0.80';
const OUR_ADDRESS = '10.88.0.81';

async function measureOurs(
  scene: Scene,
  { pool, load, live, name: loadName }: Case,
  round: number,
): Promise<Measured> {
  const { cluster, watch, hosts } = scene;
  const name = `moved-${pool}-${loadName}-${live ? 'live' : 'cold'}-${round}`;
  const container = {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { name, namespace: 'default' },
    spec: {
      image: IMAGE,
      power: 'Stopped',
      stopTimeout: '0s',
      rootPool: pool,
      networks: [{ name: 'eth0', network: LAN }],
      placement: { nodeSelector: { 'kubernetes.io/hostname': hosts[0].name } },
      migration: { policy: live ? 'Live' : 'Cold' },
    },
  };
  const apply = (spec: object) =>
    cluster.kubectl(
      ['apply', '-f', '-'],
      JSON.stringify({ ...container, spec: { ...container.spec, ...spec } }),
    );
  await apply({});
  await watch.until([name], (seen) => seen?.status?.phase === 'Stopped');
  await fill(hosts[0].pathIn(pool, `${name}--default`), load, OUR_ADDRESS);
  await apply({ power: 'Running', placement: {} });
  await watch.until([name], isRunning);
  const migration = {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Migration',
    metadata: { name, namespace: 'default' },
    spec: { container: name, targetNode: hosts[1].name, mode: live ? 'Live' : 'Cold' },
  };
  const measured = await probed(scene, OUR_ADDRESS, async () => {
    const begunMs = performance.now();
    await cluster.kubectl(['create', '-f', '-'], JSON.stringify(migration));
    const endedMs = await watch.until([name], movedOrGivenUp(hosts[0].name)).catch(() => 0);
    if (endedMs > 0 && watch.get(name)?.status?.nodeName === hosts[1].name) return endedMs - begunMs;
    throw new Error(`Migration ${name} came to nothing, or has not in time: ${await whyNot(cluster, name)}`);
  });
  await cluster.kubectl(['wait', '--for=condition=Succeeded', `migration/${name}`, '--timeout=60s']);
  const columns = '{.status.passes} {.status.lastPassMs} {.status.targetReport} {.status.pauseMs}';
  const told = await cluster.kubectl(['get', 'migration', name, '-o', `jsonpath=${columns}`]);
  process.stderr.write(`${name}: passes, the last but one (ms), the last one, pause (ms): ${told}\n`);
  await remove(cluster, watch, [name]);
  return measured;
}

/** Whether it runs elsewhere, or its migration has given it up: which of them is for the caller to see. */
function movedOrGivenUp(source: string): (seen: Container | undefined) => boolean {
  let hasBegun = false;
  return (seen) => {
    const { migration, nodeName } = seen?.status ?? {};
    hasBegun ||= migration !== undefined;
    return nodeName === source ? hasBegun && migration === undefined : isRunning(seen);
  };
}

/** What the Migration says, and the warnings of both agents: their logs go with the cluster. */
async function whyNot(cluster: BenchCluster, name: string): Promise<string> {
  const { stateDir, hosts } = cluster;
  const told = ['get', 'migration', name, '-o', 'jsonpath={.status.conditions}'];
  const conditions = await cluster.kubectl(told);
  const logs = hosts.slice(0, 2).map(async (host) => {
    const lines = (await readFile(logOf(stateDir, `${host.name}-${AGENT}`), 'utf8')).split('\n');
    const warnings = lines.filter((line) => /"level":"?(warn|error|[45]0)/.test(line));
    return [host.name, ...warnings.slice(-LOG_LINES)].join('\n  ');
  });
  return [conditions, ...(await Promise.all(logs))].join('\n');
}

const LOG_LINES = 20;

async function probed(scene: Scene, address: string, run: () => Promise<number>): Promise<Measured> {
  const probe = new PauseProbe(scene.client.dialPath, address);
  try {
    await probe.untilHeard(HEARD_MS);
    probe.reset();
    const totalMs = await run();
    await probe.untilHeard(HEARD_MS);
    return { pauseMs: probe.pauseMs, totalMs, dropped: probe.dropped };
  } finally {
    probe.stop();
  }
}

async function fill(root: string, load: Load, address: string): Promise<void> {
  const { memoryMegabytes = 0, rootMegabytes = 0, changingMegabytes = 0 } = load;
  await makeCounting(root, {
    address: `${address}/24`,
    memoryMegabytes,
    changingMegabytes,
    listensAgain: true,
  });
  if (rootMegabytes === 0) return;
  await mkdir(join(root, 'srv'), { recursive: true });
  // As a root is: many files, of which none can be compressed.
  for (let index = 0; index < rootMegabytes; index += 1) {
    await writeFile(join(root, 'srv', `file-${index}`), randomBytes(MEGA));
  }
}

async function setUp(cluster: BenchCluster): Promise<Scene> {
  const hosts = cluster.hosts.map(({ name, socketPath }, index) => {
    const compartment = findCompartment(cluster.stateDir, name);
    if (compartment === undefined) throw new Error(`${name} does not run`);
    const root = (pool: string, instance: string): string =>
      join(socketPath, '../storage-pools', pool, 'containers', instance, 'rootfs');
    return {
      name,
      socketPath,
      compartment,
      spawn: (...given: Parameters<typeof compartment.spawn>) => compartment.spawn(...given),
      address: `https://${hostAddresses(index + 1).address}:${DAEMON_PORT}`,
      pathIn: (pool: string, instance: string) => `/proc/${compartment.initPid}/root${root(pool, instance)}`,
    };
  });
  await openLan(cluster.stateDir, hosts);
  for (const [name, spec] of Object.entries(MADE_POOLS)) {
    if (POOLS.includes(name)) await makePool(cluster, name, spec);
  }
  // The image is there once a container was made of it.
  const [source, target, third] = hosts;
  if (source === undefined || target === undefined || third === undefined)
    throw new Error('three hosts are needed');
  for (const { socketPath } of [source, target]) await importImage(cluster.stateDir, socketPath);
  const directory = probeFolder(cluster);
  await mkdir(directory);
  const client = await openInsideNetwork(third, directory);
  return { cluster, watch: await watchContainers(cluster.kubeconfig), hosts: [source, target], client };
}

async function makePool(cluster: BenchCluster, name: string, spec: object): Promise<void> {
  const pool = { apiVersion: 'hostler.dev/v1alpha1', kind: 'StoragePool', metadata: { name }, spec };
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(pool));
  await cluster.kubectl(['wait', '--for=condition=Ready', `storagepool/${name}`, '--timeout=120s']);
}

function probeFolder({ stateDir }: BenchCluster): string {
  return join(stateDir, 'probe');
}

async function importImage(stateDir: string, socketPath: string): Promise<void> {
  const image = join(stateDir, 'images/busybox.tar.gz');
  const options = ['-sSf', '--unix-socket', socketPath, '-X', 'POST', '--data-binary', `@${image}`];
  await promisify(execFile)('curl', [
    ...options,
    '-H',
    'content-type: application/octet-stream',
    'http://x/1.0/images',
  ]);
}
