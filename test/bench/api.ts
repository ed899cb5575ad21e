import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject, ResourceRef } from '../../src/crds/object.ts';
import { createEtcdStorage } from '../../src/etcd/storage.ts';
import { createObjectStore } from '../../src/kube/object-store.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { startEtcd } from '../support/etcd-server.ts';
import { type Figure, figure, quantile } from './figure.ts';
import { inParallel } from './raw-daemon.ts';

const OBJECTS = 5_000;
const GETS = 10_000;
const PARALLEL = 64;
const WATCHERS = 100;
/** Connections that they share, five watches each: an agent has about as many. */
const WATCH_CONNECTIONS = 20;
const STEP_LIMIT_MS = 30_000;
const WRITES_WATCHED = 50;
const HOSTLER = join(import.meta.dirname, '../../bin/hostler');

const configMaps: ResourceRef = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  resource: 'configmaps',
  namespaced: true,
};
const signal = new AbortController().signal;

interface ConfigMap extends KubeObject {
  data: Record<string, string>;
}

/** The API server alone, over a real etcd of its own, with client and server on the same machine. */
export async function measureApi(): Promise<Figure[]> {
  const etcd = await startEtcd();
  const dataDir = await mkdtemp(join(tmpdir(), 'hostler-bench-api-'));
  const etcdPuts = await etcdPutRate(etcd.endpoint);
  const server = await startServer(['server', '--etcd', etcd.endpoint], dataDir);
  const store = createObjectStore({
    kubeConfig: server.kubeconfig,
    userAgent: 'hostler-bench',
    logger: silentLogger,
  });
  try {
    const creates = await rate(OBJECTS, (index) => store.create(configMaps, configMap(index), signal));
    const gets = await rate(GETS, (index) =>
      store.get(configMaps, { namespace: 'default', name: `object-${index % OBJECTS}` }, signal),
    );
    const lists: number[] = [];
    for (let index = 0; index < 5; index++) {
      const begun = performance.now();
      const { items } = await store.list(configMaps, { namespace: 'default' }, signal);
      lists.push(performance.now() - begun);
      if (items.length < OBJECTS) throw new Error(`The list has ${items.length} objects, not ${OBJECTS}`);
    }
    const toWatchers = await watchDelay(store, server.kubeconfig);
    const memory = await residentMiB(server.child.pid ?? 0);
    return [
      figure('etcd alone: puts, 64 at once', etcdPuts, 'puts/s'),
      figure('API: creates, 64 at once', creates, 'creates/s'),
      figure('API creates against etcd puts', creates / etcdPuts, '×'),
      figure('API: gets, 64 at once', gets, 'gets/s'),
      figure('API: list of 5,000, p50 of 5', quantile(lists, 0.5), 'ms'),
      figure('API: write to the last of 100 watchers, p50', quantile(toWatchers, 0.5), 'ms'),
      figure('API: write to the last of 100 watchers, p99', quantile(toWatchers, 0.99), 'ms'),
      figure('API: resident memory with 5,000 objects', memory, 'MiB'),
      figure('hostler server with its own etcd: start to ready', await startToReady(), 'ms'),
    ];
  } finally {
    store.close();
    await server.stop();
    await etcd.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

const openStore = (kubeConfig: string) =>
  createObjectStore({ kubeConfig, userAgent: 'hostler-bench', logger: silentLogger });

const tooLate = (what: string): Promise<never> =>
  new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`After ${STEP_LIMIT_MS / 1000} s: ${what}`)), STEP_LIMIT_MS).unref();
  });

const configMap = (index: number): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `object-${index}`, namespace: 'default', labels: { app: 'bench' } },
  data: { text: 'x'.repeat(400), index: String(index) },
});

async function rate(count: number, run: (index: number) => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await inParallel(
    PARALLEL,
    Array.from({ length: count }, (_, index) => async () => {
      await run(index);
    }),
  );
  return count / ((performance.now() - begun) / 1000);
}

async function etcdPutRate(endpoint: string): Promise<number> {
  const storage = createEtcdStorage({ endpoints: [endpoint], logger: silentLogger });
  const value = Buffer.from(JSON.stringify(configMap(0)));
  const perSecond = await rate(OBJECTS, (index) => storage.put(`/bench/${index}`, value, 0));
  await storage.close();
  return perSecond;
}

/** From the answer to a write until the last watcher has it. */
async function watchDelay(store: ObjectStore, kubeConfig: string): Promise<number[]> {
  const stop = new AbortController();
  const { resourceVersion } = await store.list(configMaps, { namespace: 'default', limit: 1 }, signal);
  let expected = '';
  let left = 0;
  let allSeen: () => void = () => {};
  const clients = Array.from({ length: WATCH_CONNECTIONS }, () => openStore(kubeConfig));
  const follow = async (client: ObjectStore): Promise<void> => {
    const events = client.watch<ConfigMap>(
      configMaps,
      { namespace: 'default', resourceVersion },
      stop.signal,
    );
    for await (const event of events) {
      if (event.type === 'BOOKMARK' || event.object.data['text'] !== expected) continue;
      if (--left === 0) allSeen();
    }
  };
  const watchers = Array.from({ length: WATCHERS }, (_, index) =>
    follow(clients[index % clients.length] as ObjectStore).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    }),
  );
  const broken = Promise.all(watchers).then(() => {
    throw new Error('The watches have ended');
  });
  broken.catch(() => undefined);
  const delays: number[] = [];
  for (let index = 0; index < WRITES_WATCHED; index++) {
    expected = `write ${index}`;
    left = WATCHERS;
    const seen = new Promise<void>((resolve) => {
      allSeen = resolve;
    });
    const begun = performance.now();
    const body = { data: { text: expected } };
    await store.mergePatch(configMaps, { namespace: 'default', name: 'object-0' }, { body }, signal);
    await Promise.race([
      seen,
      broken,
      tooLate(`write ${index} reached ${WATCHERS - left} of ${WATCHERS} watchers`),
    ]);
    // The first one also waits until every watch has begun.
    if (index > 0) delays.push(performance.now() - begun);
  }
  stop.abort();
  await Promise.all(watchers);
  for (const client of clients) client.close();
  return delays;
}

async function startToReady(): Promise<number> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hostler-bench-server-'));
  const begun = performance.now();
  const server = await startServer(['server', '--etcd', 'embedded'], dataDir);
  const tookMs = performance.now() - begun;
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
  return tookMs;
}

/** Resolves when the program has said that it is ready. */
export async function startServer(
  argv: readonly string[],
  dataDir: string,
): Promise<{ child: ChildProcess; kubeconfig: string; stop(): Promise<void> }> {
  const child = spawn(HOSTLER, [...argv, '--data-dir', dataDir, '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let log = '';
  child.stderr.on('data', (data: Buffer) => {
    log = (log + data.toString()).slice(-4_000);
  });
  const ready = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  await Promise.race([
    ready,
    exited.then(() => {
      throw new Error(`hostler ${argv.join(' ')} ended:\n${log}`);
    }),
  ]);
  return {
    child,
    kubeconfig: join(dataDir, 'admin.kubeconfig'),
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}
