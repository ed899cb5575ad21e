import { type Figure, atLeast, atMost, figure, quantile } from './figure.ts';
import {
  type ContainerWatch,
  isGone,
  isRunning,
  manifestOf,
  numbered,
  watchContainers,
} from './containers.ts';
import type { BenchCluster } from './local-cluster.ts';
import { inParallel, openRawDaemon } from './raw-daemon.ts';

const COUNT = 60;
const PARALLEL = 8;
const SINGLE = 20;

/** Create and start: 60 at once through one apply, against the same daemons driven directly. */
export async function createMany(cluster: BenchCluster): Promise<Figure[]> {
  const watch = await watchContainers(cluster.kubeconfig);
  try {
    const fingerprint = await warmUp(cluster, watch);
    // Raw, Hostler, raw: a machine that slows down in between does not flatter either.
    const rawBefore = await rawMany(cluster, fingerprint);
    const hostler = await applyMany(cluster, watch);
    const rawAfter = await rawMany(cluster, fingerprint);
    const raw = (rawBefore + rawAfter) / 2;
    return [
      figure('raw daemons: create+start of 60', raw, 'containers/s'),
      figure('apply of 60 to Running', hostler, 'containers/s'),
      atLeast('apply of 60, against raw', hostler / raw, '×', 0.8),
    ];
  } finally {
    watch.close();
  }
}

/** Create and start of one container, through kubectl and directly, by turns. */
export async function createOne(cluster: BenchCluster): Promise<Figure[]> {
  const watch = await watchContainers(cluster.kubeconfig);
  const raw: number[] = [];
  const hostler: number[] = [];
  try {
    const fingerprint = await warmUp(cluster, watch);
    const [host] = cluster.hosts;
    const daemon = openRawDaemon(host?.socketPath ?? '', 1);
    for (let index = 0; index < SINGLE; index++) {
      const name = `one-${index}`;
      const rawBegun = performance.now();
      await daemon.create(`raw-${name}`, fingerprint);
      raw.push(performance.now() - rawBegun);
      await daemon.remove(`raw-${name}`);
      const applied = cluster.kubectl(['apply', '-f', '-'], manifestOf([name]));
      const begun = watch.until([name], (container) => container !== undefined).then(() => performance.now());
      const running = await watch.until([name], isRunning);
      hostler.push(running - (await begun));
      await applied;
      await remove(cluster, watch, [name]);
    }
    await daemon.close();
  } finally {
    watch.close();
  }
  const [rawMs, hostlerMs] = [quantile(raw, 0.5), quantile(hostler, 0.5)];
  return [
    figure('raw daemon: create+start of one, p50 of 20', rawMs, 'ms'),
    figure('the API has it to Running, p50 of 20', hostlerMs, 'ms'),
    atMost('on top of raw', hostlerMs - rawMs, 'ms', 150),
  ];
}

async function applyMany(cluster: BenchCluster, watch: ContainerWatch): Promise<number> {
  const names = numbered('many', COUNT);
  const begun = performance.now();
  const applied = cluster.kubectl(['apply', '-f', '-'], manifestOf(names));
  const ended = await watch.until(names, isRunning);
  await applied;
  await remove(cluster, watch, names);
  return COUNT / ((ended - begun) / 1000);
}

async function rawMany({ hosts }: BenchCluster, fingerprint: string): Promise<number> {
  return COUNT / (await rawSeconds(hosts, COUNT, fingerprint));
}

/** How long the daemons of `hosts` take for `count` containers, driven directly, some at once each. */
export async function rawSeconds(
  hosts: BenchCluster['hosts'],
  count: number,
  fingerprint: string,
): Promise<number> {
  const daemons = hosts.map(({ socketPath }) => openRawDaemon(socketPath, PARALLEL));
  const each = count / daemons.length;
  const all = (run: (daemon: (typeof daemons)[number], name: string) => Promise<void>) =>
    Promise.all(
      daemons.map((daemon) =>
        inParallel(
          PARALLEL,
          numbered('raw', each).map((name) => () => run(daemon, name)),
        ),
      ),
    );
  const begun = performance.now();
  await all((daemon, name) => daemon.create(name, fingerprint));
  const seconds = (performance.now() - begun) / 1000;
  await all((daemon, name) => daemon.remove(name));
  await Promise.all(daemons.map((daemon) => daemon.close()));
  return seconds;
}

/** Has the image on every host, as it is everywhere but the first time. @returns its fingerprint */
export async function warmUp(cluster: BenchCluster, watch: ContainerWatch): Promise<string> {
  const names = cluster.hosts.map(({ name }) => `warm-${name}`);
  const pinned = cluster.hosts.map(({ name }) => {
    const [document = ''] = manifestOf([`warm-${name}`])
      .split('\n')
      .slice(1);
    const container = JSON.parse(document) as { spec: object };
    return `---\n${JSON.stringify({ ...container, spec: { ...container.spec, placement: { nodeName: name } } })}\n`;
  });
  await cluster.kubectl(['apply', '-f', '-'], pinned.join(''));
  await watch.until(names, isRunning);
  const fingerprint = watch.get(names[0] ?? '')?.status?.imageFingerprint;
  if (fingerprint === undefined) throw new Error('The status of a running container has no imageFingerprint');
  await remove(cluster, watch, names);
  return fingerprint;
}

export async function remove(
  cluster: BenchCluster,
  watch: ContainerWatch,
  names: readonly string[],
): Promise<void> {
  await cluster.kubectl(['delete', 'container', '--wait=false', ...names]);
  await watch.until(names, isGone);
}
