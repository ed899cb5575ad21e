import { isRunning, manifestOf, watchContainers } from './containers.ts';
import { remove } from './create.ts';
import { type Figure, atMost, figure, quantile } from './figure.ts';
import type { BenchCluster } from './local-cluster.ts';
import { openEventStream } from './raw-events.ts';

const KILLS = 10;

/** From the SIGKILL of a container's init to Running again, less the time that the daemon takes to say that it ended. */
export async function restartAfterKill(cluster: BenchCluster): Promise<Figure[]> {
  const watch = await watchContainers(cluster.kubeconfig);
  const daemonMs: number[] = [];
  const totalMs: number[] = [];
  const host = cluster.hosts[0] as BenchCluster['hosts'][number];
  const events = await openEventStream(host.socketPath);
  try {
    for (let index = 0; index < KILLS; index++) {
      const name = `kill-${index}`;
      const [, document = ''] = manifestOf([name]).split('\n');
      const container = JSON.parse(document) as { spec: object };
      const pinned = { ...container, spec: { ...container.spec, placement: { nodeName: host.name } } };
      await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(pinned));
      await watch.until([name], isRunning);
      const instance = watch.get(name)?.status?.instanceName ?? '';
      const info = await cluster.exec(host.name, ['incus', 'info', instance]);
      const pid = /^PID: (\d+)/m.exec(info)?.[1];
      if (pid === undefined) throw new Error(`No pid of ${instance} in: ${info}`);
      const ended = events.next('instance-shutdown', instance);
      const begun = performance.now();
      // The pid is the host's, whose process namespace is the machine's.
      process.kill(await machinePid(cluster, host.name, Number(pid)), 'SIGKILL');
      const endedMs = await ended;
      const backMs = await watch.until([name], (seen) => seen?.status?.restarts === 1 && isRunning(seen));
      daemonMs.push(endedMs - begun);
      totalMs.push(backMs - begun);
      await remove(cluster, watch, [name]);
    }
  } finally {
    events.close();
    watch.close();
  }
  const [daemon, total] = [quantile(daemonMs, 0.5), quantile(totalMs, 0.5)];
  return [
    figure('init killed: the daemon says so, p50 of 10', daemon, 'ms'),
    figure('init killed: Running again, p50 of 10', total, 'ms'),
    atMost('on top of the daemon', total - daemon, 'ms', 1_000),
  ];
}

/** Hosts may have process namespaces of their own: the same process as this machine numbers it. */
async function machinePid(cluster: BenchCluster, host: string, pid: number): Promise<number> {
  const inside = (await cluster.exec(host, ['readlink', `/proc/${pid}/ns/pid`])).trim();
  const { readlink, readdir } = await import('node:fs/promises');
  const own = await readlink(`/proc/${pid}/ns/pid`).catch(() => '');
  if (own === inside) return pid;
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const namespace = await readlink(`/proc/${entry}/ns/pid`).catch(() => '');
    if (namespace === inside) return Number(entry);
  }
  throw new Error(`The init with pid ${pid} of ${host} is not to be found on this machine`);
}
