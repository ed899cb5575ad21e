import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Authorizer } from '../../src/apiserver/auth/authorizer.ts';
import type { InflightLimits } from '../../src/apiserver/endpoints/inflight.ts';
import type { KeyPair } from '../../src/apiserver/pki/certificates.ts';
import {
  issueClientCertificate,
  loadClusterAuthority,
  nodeIdentity,
} from '../../src/apiserver/pki/cluster-pki.ts';
import { adminKubeconfigPath, pkiFolder } from '../../src/apiserver/pki/folders.ts';
import { renderKubeconfig } from '../../src/apiserver/pki/kubeconfig.ts';
import { type ApiServerOptions, createApiServer } from '../../src/apiserver/server.ts';
import { createEtcdStorage } from '../../src/etcd/storage.ts';
import { systemClock } from '../../src/ports/clock.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { noMetrics } from '../../src/ports/metrics.ts';
import { type ApiClient, createApiClient } from './api-client.ts';
import { type EtcdServer, startEtcd } from './etcd-server.ts';

/** The embedded API server of this process over a real etcd of its own, ready to be used. */
export interface TestApiServer {
  /** `https://127.0.0.1:<port>` */
  url: string;
  kubeconfigPath: string;
  caPem: string;
  /** Contents of a kubeconfig. */
  adminKubeconfig: string;
  nodeKubeconfig(name: string): Promise<string>;
  kubeconfigFor(user: string, groups: readonly string[]): Promise<string>;
  /** A plain HTTPS client with that identity. */
  client(user: string, groups: readonly string[]): Promise<ApiClient>;
  adminClient(): Promise<ApiClient>;
  issue(user: string, groups: readonly string[]): Promise<KeyPair>;
  readonly etcd: EtcdServer;
  readonly dataDir: string;
  /** Ends the API server and etcd, and removes everything. Idempotent. */
  stop(): Promise<void>;
}

export interface TestApiServerOptions {
  /** Further listen addresses, after the free port on 127.0.0.1. */
  listen?: ApiServerOptions['listen'];
  requestTimeoutMs?: number;
  inflight?: InflightLimits;
  /** @defaultValue the product's own */
  authorizer?: Authorizer;
  /** The data folder of another one, whose authority and certificates it takes over: the same cluster on an empty store. */
  pkiOf?: string;
}

const READY_WITHIN_MS = 20_000;

export async function startApiServer(options: TestApiServerOptions = {}): Promise<TestApiServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hostler-api-'));
  const { listen = [], pkiOf, authorizer, ...rest } = options;
  if (pkiOf !== undefined) await cp(pkiFolder(pkiOf), pkiFolder(dataDir), { recursive: true });
  const etcd = await startEtcd();
  const storage = createEtcdStorage({ endpoints: [etcd.endpoint], logger: silentLogger });
  const server = createApiServer(
    { dataDir, listen: [{ host: '127.0.0.1', port: 0 }, ...listen], ...rest },
    {
      storage,
      clock: systemClock,
      logger: silentLogger,
      metrics: noMetrics,
      metricsText: () => Promise.resolve('up 1\n'),
      ...(authorizer === undefined ? {} : { authorizer }),
    },
  );
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await server.stop();
    await storage.close();
    await etcd.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  const stopOnce = (): Promise<void> => (stopped ??= stop());
  try {
    const { urls } = await server.start(new AbortController().signal);
    const url = urls[0] as string;
    const ca = await loadClusterAuthority(pkiFolder(dataDir));
    const caPem = ca.certificatePem;
    const issue = (user: string, groups: readonly string[]): Promise<KeyPair> =>
      issueClientCertificate({ ca, user, groups, clock: systemClock });
    const kubeconfigFor = async (user: string, groups: readonly string[]): Promise<string> =>
      renderKubeconfig({ servers: [url], caPem, client: await issue(user, groups), user });
    const client = async (user: string, groups: readonly string[]): Promise<ApiClient> =>
      createApiClient({ url, caPem, identity: await issue(user, groups) });
    const kubeconfigPath = adminKubeconfigPath(dataDir);
    await untilReady(createApiClient({ url, caPem }));
    return {
      url,
      kubeconfigPath,
      caPem,
      adminKubeconfig: await readFile(kubeconfigPath, 'utf8'),
      nodeKubeconfig: (name) => kubeconfigFor(nodeIdentity(name).user, nodeIdentity(name).groups),
      kubeconfigFor,
      client,
      adminClient: () => client('admin', ['system:masters']),
      issue,
      etcd,
      dataDir,
      stop: stopOnce,
    };
  } catch (error) {
    await stopOnce();
    throw error;
  }
}

/** Polls /readyz, which answers to everybody. */
export async function untilReady(client: ApiClient, withinMs = READY_WITHIN_MS): Promise<void> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const { code, text } = await client.request('GET', '/readyz?verbose');
    if (code === 200) return;
    if (performance.now() > endMs)
      throw new Error(`The API server is not ready after ${withinMs} ms: ${text}`);
    await delay(20);
  }
}
