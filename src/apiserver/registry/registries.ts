import { type Clock, sleep } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Storage } from '../../ports/storage.ts';
import type { AdmissionRule, LookUp } from '../admission/admission.ts';
import { namespaceLifecycle } from '../admission/namespace-lifecycle.ts';
import { storagePoolInUse } from '../admission/storage-pool-in-use.ts';
import { CertificateSigner } from '../certificates/signer.ts';
import type { CertificateAuthority } from '../pki/certificates.ts';
import { Collector } from '../gc/collector.ts';
import { sweepExpired } from '../gc/expiry.ts';
import { NamespaceController } from '../namespaces/controller.ts';
import type { ResourceDefinition } from '../resource.ts';
import { DEFAULT_LIMITS, ResourceCache } from '../watch/cache.ts';
import { Feed } from '../watch/feed.ts';
import { prefixOf, ROOT } from './keys.ts';
import { Reader } from './reader.ts';
import { Records } from './records.ts';
import type { Registry } from './registry.ts';
import { ResourceRegistry } from './resource-registry.ts';
import type { Served } from './served.ts';
import { Watches } from './watches.ts';

/** All resources that this API server serves, over one store, and the loops that tend them (watch cache, GC, namespaces). */
export interface Registries {
  /**
   * Fills the watch caches, makes the default namespaces and starts the loops. Resolves at once: `ready` tells when
   * everything is filled, and a store that is away at start is tried again until it answers or `signal` is aborted.
   */
  start(signal: AbortSignal): Promise<void>;

  /** Ends every loop and every watch; resolves when all have ended. Idempotent. */
  stop(): Promise<void>;

  /** `true` once every watch cache is filled and while it follows the store; otherwise why not, for /readyz. */
  ready(): true | { reason: string };

  /** The registry that serves `/apis/<group>/<version>/<resource>`; `group` is empty for the core group. */
  lookup(group: string, version: string, resource: string): Registry | undefined;

  all(): readonly Registry[];
}

export interface RegistriesOptions {
  storage: Storage;
  /** See src/apiserver/builtin/definitions.ts: `allDefinitions()`. */
  definitions: readonly ResourceDefinition[];
  /** What certificates are signed with; absent: none are. */
  authority?: () => Promise<CertificateAuthority>;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
}

const NOT_STARTED = { reason: 'the registries are not started' };

/** Nothing runs and nothing is read before `start`. */
export function createRegistries(options: RegistriesOptions): Registries {
  const { storage, clock, logger, metrics } = options;
  const feed = new Feed({ storage, root: ROOT, clock, logger });
  const served: Served[] = [];
  const lookUp: LookUp = (group, version, resource) =>
    served.find(
      ({ definition }) =>
        definition.resource === resource && definition.group === group && definition.version === version,
    )?.registry;
  const rules = [namespaceLifecycle(lookUp), storagePoolInUse(lookUp)];
  for (const definition of options.definitions) served.push(serve(definition, options, feed, rules));
  const collector = new Collector({ served, clock, logger: logger.child({ part: 'gc' }) });
  const namespaces = new NamespaceController({ served, clock, logger: logger.child({ part: 'namespaces' }) });
  const signer = createSigner(options, served);
  const stopping = new AbortController();
  let running: Promise<unknown> | undefined;

  return {
    start(signal) {
      const until = AbortSignal.any([signal, stopping.signal]);
      running ??= Promise.all([
        feed.run(until),
        whenFilled(feed, until).then(() =>
          Promise.all([
            collector.run(until),
            namespaces.run(until),
            signer?.run(until),
            sweepExpired(served, { clock, logger }, until),
            reportSizes(served, { clock, metrics }, until),
          ]),
        ),
      ]);
      return Promise.resolve();
    },
    async stop() {
      stopping.abort();
      await running;
    },
    ready() {
      if (running === undefined) return NOT_STARTED;
      return feed.trouble === undefined ? true : { reason: feed.trouble };
    },
    lookup: lookUp,
    all: () => served.map(({ registry }) => registry),
  };
}

function serve(
  definition: ResourceDefinition,
  { storage, clock, logger, metrics }: RegistriesOptions,
  feed: Feed,
  rules: readonly AdmissionRule[],
): Served {
  const labels = { group: definition.group, resource: definition.resource };
  const cache = new ResourceCache(definition, prefixOf(definition), DEFAULT_LIMITS, {
    monotonicMs: () => clock.monotonicMs(),
    onUnreadable: (key, error) =>
      logger.error({ key, err: error }, 'A stored object cannot be read; it is left out'),
    onSlowWatcher: () => metrics.count('hostler_apiserver_slow_watchers_total', labels),
  });
  feed.add(cache);
  const records = new Records({ definition, storage, cache });
  const reader = new Reader({ definition, storage, cache, feed, records });
  const watches = new Watches({ definition, cache, feed, reader, clock });
  const registry = new ResourceRegistry({ definition, reader, watches, records, clock, rules });
  return { definition, registry, cache, reader };
}

function createSigner(
  { authority, clock, logger }: RegistriesOptions,
  served: readonly Served[],
): CertificateSigner | undefined {
  if (authority === undefined) return undefined;
  return new CertificateSigner({ served, authority, clock, logger: logger.child({ part: 'certificates' }) });
}

/** The loops decide by the caches, so they begin when those are filled. */
async function whenFilled(feed: Feed, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await feed.waitFor(1, WAIT_MS, signal)));
}

const WAIT_MS = 60_000;
const REPORT_INTERVAL_MS = 15_000;

async function reportSizes(
  served: readonly Served[],
  { clock, metrics }: { clock: Clock; metrics: Metrics },
  signal: AbortSignal,
): Promise<void> {
  do {
    for (const { definition, cache } of served) {
      const labels = { group: definition.group, resource: definition.resource };
      metrics.set('hostler_apiserver_objects', cache.size, labels);
      metrics.set('hostler_apiserver_watchers', cache.watcherCount, labels);
    }
  } while (await sleep(clock, REPORT_INTERVAL_MS, signal));
}
