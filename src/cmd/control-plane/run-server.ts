import { adminKubeconfigPath } from '../../apiserver/pki/folders.ts';
import { type ApiServer, createApiServer } from '../../apiserver/server.ts';
import type { ServerConfig } from '../../config/server.ts';
import { createEtcdStorage } from '../../etcd/storage.ts';
import { type Clock, sleep } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Storage } from '../../ports/storage.ts';
import type { PrometheusMetrics } from '../../telemetry/metrics.ts';
import { issueControllerIdentity } from './controller-identity.ts';
import { takeDataDir } from './data-dir.ts';
import { openEtcd, type ServerEtcd } from './etcd.ts';
import { type KeptControllers, keepControllers } from './keep-controllers.ts';
import { type ControllersProcess, createControllersProcess } from './run-controllers.ts';

export interface ServerDeps {
  clock: Clock;
  logger: Logger;
  metrics: PrometheusMetrics;
  hostlerVersion: string;
  /** Called once, when everything answers. */
  onReady(ready: { url: string; kubeconfig: string }): void;
}

const READY_POLL_MS = 10;

/**
 * API server and controllers in one process, with an etcd below them where asked for, until `signal` is aborted. What
 * was started is ended in reverse order, whatever happens.
 * @throws Error when a part cannot be started, or the embedded etcd does not stay up
 */
export async function runServer(config: ServerConfig, deps: ServerDeps, signal: AbortSignal): Promise<void> {
  const ends: (() => Promise<void> | void)[] = [];
  try {
    ends.push(await takeDataDir(config.dataDir));
    // Ended by hand, after those that need it.
    const etcd = await openEtcd(config, deps, new AbortController().signal);
    ends.push(() => etcd.stop());
    const storage = createEtcdStorage({ ...etcd.options, logger: deps.logger.child({ part: 'storage' }) });
    ends.push(() => storage.close());
    const api = createServer(config, deps, storage);
    ends.push(() => api.stop());
    if (signal.aborted) return;
    await runWhileEtcd(etcd, signal, (inner) => runOver(config, deps, { api, etcd }, inner));
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

function createServer(config: ServerConfig, deps: ServerDeps, storage: Storage): ApiServer {
  const { clock, logger, metrics, hostlerVersion } = deps;
  return createApiServer(
    { ...config, hostlerVersion },
    {
      storage,
      clock,
      logger: logger.child({ part: 'apiserver' }),
      metrics,
      metricsText: () => metrics.text(),
    },
  );
}

interface Parts {
  api: ApiServer;
  etcd: ServerEtcd;
}

async function runOver(
  config: ServerConfig,
  deps: ServerDeps,
  { api, etcd }: Parts,
  signal: AbortSignal,
): Promise<void> {
  const { clock, metrics } = deps;
  const { urls } = await api.start(signal);
  const server = urls.find((url) => url.startsWith('https:')) as string;
  const logger = deps.logger.child({ part: 'controllers' });
  const identity = await issueControllerIdentity({ ...config, server }, { clock, logger, metrics });
  const stop = new AbortController();
  const { kubeConfig } = identity;
  const create = (): ControllersProcess =>
    createControllersProcess({ kubeConfig, servers: [server], etcd: etcd.options, clock, logger, metrics });
  const controllers = keepControllers(create, { clock, logger }, stop.signal);
  try {
    await untilReady(controllers, clock, signal);
    if (!signal.aborted) deps.onReady({ url: server, kubeconfig: adminKubeconfigPath(config.dataDir) });
    await aborted(signal);
  } finally {
    stop.abort();
    identity.stop();
    await controllers.ended;
  }
}

/** Runs `run`, whose signal is also aborted when the embedded etcd is given up. @throws its failure */
async function runWhileEtcd(
  etcd: ServerEtcd,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const halt = new AbortController();
  const running = run(AbortSignal.any([signal, halt.signal]));
  try {
    await Promise.race([running, etcd.failed]);
  } finally {
    halt.abort();
    await running;
  }
}

/** Ready controllers have read every kind through the API: it is ready, too. */
async function untilReady(controllers: KeptControllers, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && controllers.unready().length > 0) await sleep(clock, READY_POLL_MS, signal);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
