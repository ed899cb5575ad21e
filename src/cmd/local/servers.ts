import { chmodSync, copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { API_PORT, ETCD_PEER_PORT, type LocalServer, localServers } from '../../config/local.ts';
import { type LocalApi, localApi } from './api.ts';
import { markedEnv, openCompartment } from './compartment.ts';
import type { LocalNetwork } from './network.ts';
import { flagsOf, type LocalCluster, logOf } from './parts.ts';
import { isRunning, type ProcessIdentity, run } from './process.ts';
import { type Outcome, StepError } from './progress.ts';

/**
 * The control plane of a local cluster: one server with an etcd in a compartment of its own, or one on each of several hosts, each
 * with a member of one etcd, so that a host that is lost takes its server and its member with it.
 */
export const SERVER = 'server';

const READY_TIMEOUT_MS = 60_000;

/** How the log of a server is called. */
export function serverLog({ host }: LocalServer): string {
  return host === undefined ? SERVER : `${host}-${SERVER}`;
}

/** The hosts' compartments must be there. Waits until every server is ready. */
export async function ensureControlPlane(cluster: LocalCluster, network: LocalNetwork): Promise<Outcome> {
  const servers = localServers(cluster.options);
  const isReplicated = servers.length > 1;
  if (isReplicated) await ensureAuthorities(cluster, servers);
  const outcomes = await Promise.all(servers.map((server) => ensureServer(cluster, network, server)));
  return outcomes.includes('done') ? 'done' : 'unchanged';
}

/** etcd, API server and controllers; waits until the API server is ready. */
async function ensureServer(
  { options, program }: LocalCluster,
  network: LocalNetwork,
  server: LocalServer,
): Promise<Outcome> {
  const { stateDir, port } = options;
  const logFile = logOf(stateDir, serverLog(server));
  const compartment = await openCompartment(stateDir, server.compartment);
  if (server.host === undefined) await network.attach(compartment, { address: server.address });
  mkdirSync(server.dataDir, { recursive: true, mode: 0o700 });
  const found = compartment.part(SERVER);
  const flags = {
    'data-dir': server.dataDir,
    listen: `${server.address}:${API_PORT},unix:${server.apiSocket}`,
    'server-name': '127.0.0.1,localhost',
    'advertise-url': `https://127.0.0.1:${port}`,
    etcd: 'embedded',
    ...memberFlags(server, localServers(options)),
  };
  const argv = [...program, 'server', ...flagsOf(flags)];
  const process = found ?? (await compartment.spawn(SERVER, argv, { logFile }));
  const what = server.host === undefined ? 'The control plane' : `The server of ${server.host}`;
  await untilReady(what, process, logFile, () => isServerReady(server));
  return found === undefined ? 'done' : 'unchanged';
}

function memberFlags({ host }: LocalServer, servers: readonly LocalServer[]): Record<string, string> {
  if (host === undefined) return {};
  const members = servers.map((server) => `${server.host}=https://${server.address}:${ETCD_PEER_PORT}`);
  return { 'etcd-name': host, 'etcd-members': members.join(',') };
}

/** One cluster has one CA, and its etcd another: made by the first server's program, and copied to the others. */
async function ensureAuthorities(
  { options, program }: LocalCluster,
  servers: readonly LocalServer[],
): Promise<void> {
  const [first, ...others] = servers as [LocalServer, ...LocalServer[]];
  const argv = [...program, 'certificate', 'authorities', '--data-dir', first.dataDir];
  await run(argv, { env: markedEnv(options.stateDir, 'certificate') });
  for (const other of others) {
    for (const folder of ['pki', 'pki/etcd']) {
      mkdirSync(join(other.dataDir, folder), { recursive: true, mode: 0o700 });
      // The certificate last: without its key it would be taken for damage.
      for (const file of ['ca.key', 'ca.crt']) {
        const target = join(other.dataDir, folder, file);
        if (existsSync(target)) continue;
        copyFileSync(join(first.dataDir, folder, file), target);
        chmodSync(target, file === 'ca.key' ? 0o600 : 0o644);
      }
    }
  }
}

/** Whether this very server answers, and says that it is ready. */
export async function isServerReady(server: LocalServer): Promise<boolean> {
  if (!existsSync(server.kubeconfig) || !existsSync(server.apiSocket)) return false;
  const api = localApi(server.apiSocket, server.kubeconfig);
  return (await api.request('GET', '/readyz', { timeoutMs: 3_000 })).code === 200;
}

/** The API of whichever server answers, tried in turn. */
export function anyServerApi(servers: readonly LocalServer[]): LocalApi {
  const open = new Map<LocalServer, LocalApi>();
  const apiOf = (server: LocalServer): LocalApi => {
    const api = open.get(server) ?? localApi(server.apiSocket, server.kubeconfig, { keepAlive: true });
    open.set(server, api);
    return api;
  };
  return {
    async request(method, path, options) {
      let last: unknown;
      for (const server of servers) {
        try {
          return await apiOf(server).request(method, path, options);
        } catch (error) {
          // What is in its kubeconfig may be another certificate when it is back.
          open.delete(server);
          last = error;
        }
      }
      throw last;
    },
  };
}

async function untilReady(
  what: string,
  identity: ProcessIdentity,
  logFile: string,
  isReady: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  let last: unknown;
  for (;;) {
    if (!isRunning(identity)) throw new StepError(`${what} ended while it started`, logFile, last);
    try {
      if (await isReady()) return;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw new StepError(`${what} is not ready after 60 s`, logFile, last);
    await delay(50);
  }
}
