import type { Clock, Timer } from '../ports/clock.ts';
import { messageOf } from '../ports/errors.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Storage } from '../ports/storage.ts';
import { type Authorizer, defaultAuthorizer } from './auth/authorizer.ts';
import { allDefinitions } from './builtin/definitions.ts';
import { createDiscovery } from './discovery/serve.ts';
import { createHandler } from './endpoints/handler.ts';
import { createInflightLimit, DEFAULT_LIMITS, type InflightLimits } from './endpoints/inflight.ts';
import { type HealthCheck, rememberFor } from './health/health.ts';
import { createHttpServer, type HttpServer, type TlsMaterial } from './http/http-server.ts';
import type { ListenAddress } from './http/listen.ts';
import { readCertificate } from './pki/certificates.ts';
import { ADMIN_USER, type ClusterPki, ensureClusterPki, loadClusterAuthority } from './pki/cluster-pki.ts';
import { adminKubeconfigPath, pkiFolder } from './pki/folders.ts';
import { writeKubeconfig } from './pki/kubeconfig.ts';
import { createRegistries, type Registries } from './registry/registries.ts';

/**
 * The embedded Kubernetes API server: registries over a store, behind HTTPS. It keeps nothing but its certificates on
 * disk, so that any number of replicas can run over one etcd.
 */
export interface ApiServer {
  /**
   * Listens, and writes the admin's kubeconfig. Resolves also while the store is away: /readyz tells, and requests for
   * objects get 503 until it is back. @throws Error when an address cannot be listened on, or the certificates are damaged
   */
  start(signal: AbortSignal): Promise<{ urls: string[] }>;
  /** Whether the store was heard and is followed: requests for objects are answered. */
  ready(): boolean;
  /** Ends watches, lets requests under way end for a few seconds, closes everything. Idempotent. */
  stop(): Promise<void>;
}

export interface ApiServerOptions {
  /** Certificates live in `pki/` below it; `admin.kubeconfig` is written into it. */
  dataDir: string;
  /** The first one with a port is the kubeconfig's server, unless `advertiseUrl` is there. */
  listen: readonly ListenAddress[];
  /** Further DNS names and IP addresses of the server's certificate, besides localhost and the addresses of `listen`. */
  serverNames?: readonly string[];
  /** What the admin's kubeconfig points to; default: the first address that is listened on. */
  advertiseUrl?: string;
  /** Shown by /version. @defaultValue `dev` */
  hostlerVersion?: string;
  /** @defaultValue 60 s; for requests other than watches */
  requestTimeoutMs?: number;
  /** @defaultValue 400 reads and 200 writes at a time */
  inflight?: InflightLimits;
}

export interface ApiServerDeps {
  storage: Storage;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  /** The body of /metrics. */
  metricsText: () => Promise<string>;
  /** Who may do what. @defaultValue defaultAuthorizer */
  authorizer?: Authorizer;
}

const DRAIN_MS = 5_000;
const REQUEST_TIMEOUT_MS = 60_000;
const PING_TIMEOUT_MS = 2_000;
const PING_REMEMBERED_MS = 1_000;
/** Certificates are issued again with months to spare; twice a day is often enough. */
const RENEWAL_CHECK_MS = 12 * 3_600_000;

export function createApiServer(options: ApiServerOptions, deps: ApiServerDeps): ApiServer {
  const { storage, clock, logger, metrics } = deps;
  const registries = createRegistries({
    storage,
    definitions: allDefinitions(),
    authority: () => loadClusterAuthority(pkiFolder(options.dataDir)),
    clock,
    logger,
    metrics,
  });
  const stopping = new AbortController();
  const handler = createHandler({
    registries,
    authorizer: deps.authorizer ?? defaultAuthorizer(),
    discovery: createDiscovery(() => registries.all(), options.hostlerVersion ?? 'dev'),
    healthChecks: healthChecks(storage, registries, clock),
    metricsText: deps.metricsText,
    inflight: createInflightLimit(options.inflight ?? DEFAULT_LIMITS),
    clock,
    logger,
    metrics,
    stopping: stopping.signal,
    requestTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
  });
  let http: HttpServer | undefined;
  let renewal: Timer | undefined;

  /** Makes what is missing or ends soon, here and in the admin's kubeconfig. */
  const renew = async (server: HttpServer, adminUrl: string | undefined): Promise<void> => {
    const pki = await ensurePki(options, clock);
    server.replaceCertificate(tlsOf(pki));
    if (adminUrl !== undefined) await writeAdminKubeconfig(options.dataDir, adminUrl, pki);
    reportExpiry(metrics, pki);
  };

  const scheduleRenewal = (server: HttpServer, adminUrl: string | undefined): void => {
    renewal = clock.schedule(RENEWAL_CHECK_MS, () => {
      renew(server, adminUrl)
        .catch((error: unknown) => logger.error({ err: error }, 'certificates could not be checked'))
        .finally(() => {
          if (!stopping.signal.aborted) scheduleRenewal(server, adminUrl);
        });
    });
  };

  const stop = async (): Promise<void> => {
    stopping.abort();
    renewal?.cancel();
    await http?.stop(DRAIN_MS);
    await registries.stop();
  };

  return {
    async start(signal) {
      const pki = await ensurePki(options, clock);
      http = createHttpServer(tlsOf(pki), handler, clock);
      const urls = await http.start(options.listen);
      const server = options.advertiseUrl ?? urls.find((url) => url.startsWith('https:'));
      if (server !== undefined) await writeAdminKubeconfig(options.dataDir, server, pki);
      reportExpiry(metrics, pki);
      scheduleRenewal(http, server);
      await registries.start(AbortSignal.any([signal, stopping.signal]));
      logger.info({ urls }, 'API server listens');
      return { urls };
    },
    ready: () => registries.ready() === true,
    stop,
  };
}

function ensurePki(
  { dataDir, listen, serverNames = [] }: ApiServerOptions,
  clock: Clock,
): Promise<ClusterPki> {
  const hosts = listen.flatMap((address) => ('host' in address ? [address.host] : []));
  const anywhere = new Set(['0.0.0.0', '::', '']);
  const names = [
    'localhost',
    '127.0.0.1',
    '::1',
    ...hosts.filter((host) => !anywhere.has(host)),
    ...serverNames,
  ];
  return ensureClusterPki({ dir: pkiFolder(dataDir), serverNames: names, clock });
}

const tlsOf = ({ server, ca }: ClusterPki): TlsMaterial => ({
  certificatePem: server.certificatePem,
  keyPem: server.keyPem,
  clientCaPem: ca.certificatePem,
});

function reportExpiry(metrics: Metrics, pki: ClusterPki): void {
  for (const certificate of ['ca', 'server', 'admin'] as const) {
    const { notAfterMs } = readCertificate(pki[certificate].certificatePem);
    metrics.set('hostler_certificate_expiry_seconds', notAfterMs / 1_000, { certificate });
  }
}

function writeAdminKubeconfig(dataDir: string, server: string, { ca, admin }: ClusterPki): Promise<void> {
  const path = adminKubeconfigPath(dataDir);
  return writeKubeconfig(path, {
    servers: [server],
    caPem: ca.certificatePem,
    client: admin,
    user: ADMIN_USER,
  });
}

function healthChecks(storage: Storage, registries: Registries, clock: Clock): HealthCheck[] {
  const ping = rememberFor(() => storage.ping(PING_TIMEOUT_MS), PING_REMEMBERED_MS, clock);
  return [
    { name: 'ping', isLiveness: true, check: () => Promise.resolve() },
    { name: 'etcd', isLiveness: false, check: () => ping().catch(asUnreachable) },
    {
      name: 'registries',
      isLiveness: false,
      check() {
        const ready = registries.ready();
        return ready === true ? Promise.resolve() : Promise.reject(new Error(ready.reason));
      },
    },
  ];
}

function asUnreachable(cause: unknown): never {
  throw new Error(`the store does not answer: ${messageOf(cause)}`, { cause });
}
