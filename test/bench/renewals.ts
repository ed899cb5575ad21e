import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { microTime, renewed } from '../../src/agent/node/lease-object.ts';
import { NODE_LEASE_NAMESPACE } from '../../src/crds/kind.ts';
import { type Lease, leaseRef } from '../../src/crds/lease.ts';
import { apiVersionOf } from '../../src/crds/object.ts';
import { createObjectStore } from '../../src/kube/object-store.ts';
import { defaultTiming } from '../../src/plan/failover/timing.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { startServer } from './api.ts';
import { type Figure, figure, quantile } from './figure.ts';
import { inParallel, numberedTasks } from './raw-daemon.ts';
import { TICKS_PER_SECOND, ticksOf } from './rest.ts';

const NODES = 1_000;
/** Renewals at the default pace are a thousand a second; the slower pace shows what a machine that is short of time can do. */
const PACES_MS = [defaultTiming.renewMs, 5_000];
const SETTLE_MS = 5_000;
const LOOK_MS = 20_000;
const ONE_NODE_MS = 10_000;
const signal = new AbortController().signal;

type Pids = Record<'server' | 'etcd', number>;
type Client = ObjectStore & { close(): void };

/** What became of the renewals, all nodes together. */
interface Tally {
  tookMs: number[];
  failures: { count: number };
}

/** One lease, renewed as an agent does it: the product's own object, conditionally, one request at a time. */
interface Renewer {
  start(renewMs: number, stop: AbortSignal): Promise<void>;
  close(): void;
}

/**
 * What renewals cost: a server with its embedded etcd, whose controllers lead and watch all leases, and a thousand leases that
 * are renewed over a thousand connections. No Nodes, no containers: nothing else happens.
 */
export async function renewals(): Promise<Figure[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hostler-bench-renewals-'));
  const server = await startServer(['server', '--etcd', 'embedded'], dataDir);
  const tally: Tally = { tookMs: [], failures: { count: 0 } };
  const renewers: Renewer[] = [];
  try {
    const pids = { server: server.child.pid ?? 0, etcd: await childOf(server.child.pid ?? 0) };
    await inParallel(
      16,
      numberedTasks(NODES, async (index) => {
        renewers.push(await createRenewer(`node-${index}`, open(server.kubeconfig), tally));
      }),
    );
    const found: Figure[] = [];
    for (const renewMs of PACES_MS) found.push(...(await paced({ renewers, tally, pids }, renewMs)));
    return [...found, await bytesOfOne(server.kubeconfig)];
  } finally {
    for (const renewer of renewers) renewer.close();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function paced(
  { renewers, tally, pids }: { renewers: Renewer[]; tally: Tally; pids: Pids },
  renewMs: number,
): Promise<Figure[]> {
  const stop = new AbortController();
  const all = renewers.map((renewer) => renewer.start(renewMs, stop.signal));
  await delay(SETTLE_MS);
  const { tookMs, failures } = tally;
  tookMs.length = 0;
  failures.count = 0;
  const before = { ticks: await ticksOf(pids), own: process.cpuUsage(), atMs: performance.now() };
  await delay(LOOK_MS);
  const seconds = (performance.now() - before.atMs) / 1_000;
  const count = tookMs.length;
  const inTime = tookMs.filter((ms) => ms <= renewMs * 0.9).length;
  const ticks = await ticksOf(pids);
  const own = process.cpuUsage(before.own);
  stop.abort();
  await Promise.all(all);
  const cpuMs = (part: 'server' | 'etcd'): number =>
    (((ticks[part] ?? 0) - (before.ticks[part] ?? 0)) / TICKS_PER_SECOND) * 1_000;
  const what = `${NODES} nodes renew every ${renewMs / 1_000} s`;
  return [
    figure(`${what}: renewals that succeed`, count / seconds, 'renewals/s'),
    figure(`${what}: refused or without an answer`, failures.count, 'renewals'),
    figure(`${what}: answered within 0.9 of that time`, (inTime / count) * 100, '%'),
    figure(`${what}: answer, p50`, quantile(tookMs, 0.5), 'ms'),
    figure(`${what}: answer, p99`, quantile(tookMs, 0.99), 'ms'),
    figure(`${what}: CPU of the server, which also leads`, cpuMs('server') / count, 'ms a renewal'),
    figure(`${what}: CPU of etcd`, cpuMs('etcd') / count, 'ms a renewal'),
    figure(`${what}: CPU of all the nodes' clients`, (own.user + own.system) / 1_000 / count, 'ms a renewal'),
  ];
}

/** Everything that goes over the line of one node, TLS and pings included. */
async function bytesOfOne(kubeconfig: string): Promise<Figure> {
  const [, url = ''] = /server: (\S+)/.exec(await readFile(kubeconfig, 'utf8')) ?? [];
  const proxy = await startTcpProxy(new URL(url).host);
  const tally: Tally = { tookMs: [], failures: { count: 0 } };
  const { tookMs: times } = tally;
  const store = open(kubeconfig, [proxy.endpoint.replace('http:', 'https:')]);
  const renewer = await createRenewer('node-alone', store, tally);
  const stop = new AbortController();
  try {
    const running = renewer.start(defaultTiming.renewMs, stop.signal);
    await delay(SETTLE_MS);
    const before = { bytes: proxy.bytes(), count: times.length };
    await delay(ONE_NODE_MS);
    const bytes = (proxy.bytes() - before.bytes) / (times.length - before.count);
    stop.abort();
    await running;
    return figure('one node: bytes on the line, both ways', bytes, 'bytes a renewal');
  } finally {
    renewer.close();
    await proxy.stop();
  }
}

async function createRenewer(name: string, store: Client, { tookMs, failures }: Tally): Promise<Renewer> {
  const metadata = { name, namespace: NODE_LEASE_NAMESPACE };
  const spec = { holderIdentity: name, leaseTransitions: 1, leaseDurationSeconds: 5 };
  const empty = { apiVersion: apiVersionOf(leaseRef), kind: leaseRef.kind, metadata, spec };
  let lease = await store.create<Lease>(leaseRef, empty, signal);
  let count = 0;
  return {
    async start(renewMs, stop) {
      await delay(Math.random() * renewMs);
      while (!stop.aborted) {
        const sentMs = performance.now();
        const renewal = {
          nodeName: name,
          term: 1,
          resourceVersion: lease.metadata.resourceVersion ?? '',
          sinceReplyMs: renewMs,
          timing: { ...defaultTiming, renewMs },
          renewTime: microTime(Date.now(), count++),
          isGuardArmed: true,
          membersVersion: 1,
        };
        try {
          lease = await store.update<Lease>(leaseRef, renewed(lease, renewal), signal);
          tookMs.push(performance.now() - sentMs);
        } catch {
          failures.count += 1;
          lease = (await store.get<Lease>(leaseRef, metadata, signal).catch(() => undefined)) ?? lease;
        }
        await delay(Math.max(0, renewMs - (performance.now() - sentMs)));
      }
    },
    close: () => store.close(),
  };
}

function open(kubeConfig: string, servers: readonly string[] = []): Client {
  return createObjectStore({ kubeConfig, servers, userAgent: 'hostler-bench', logger: silentLogger });
}

async function childOf(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const [first] = children.trim().split(' ');
  if (first === undefined || first === '') throw new Error('The server has no etcd of its own');
  return Number(first);
}
