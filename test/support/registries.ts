import { allDefinitions } from '../../src/apiserver/builtin/definitions.ts';
import type { CertificateAuthority } from '../../src/apiserver/pki/certificates.ts';
import type {
  Call,
  DeleteOptions,
  ListQuery,
  PatchBody,
  Registry,
  StoredEvent,
  StoredList,
  WatchQuery,
  WriteOptions,
} from '../../src/apiserver/registry/registry.ts';
import { createRegistries, type Registries } from '../../src/apiserver/registry/registries.ts';
import { ApiError, type Status } from '../../src/apiserver/status.ts';
import type { ContainerSpec } from '../../src/crds/container.ts';
import { API_VERSION } from '../../src/crds/kind.ts';
import type { KubeObject, ObjectMeta } from '../../src/crds/object.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { noMetrics } from '../../src/ports/metrics.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { systemClock } from '../../src/ports/clock.ts';
import type { Storage } from '../../src/ports/storage.ts';
import { createFakeStorage } from './fake-storage.ts';
import { until } from './waiting.ts';

/** Any object, with its fields within reach of a test. */
export type Loose = KubeObject & Record<string, unknown>;

/** The registries over a store, as tests use them: one namespace, one user, plain objects. */
export interface ApiFixture {
  registries: Registries;
  /** What the last calls were warned of. */
  warnings: string[];
  registry(resource: string): Registry;
  create(resource: string, object: KubeObject, options?: Partial<WriteOptions>): Promise<Loose>;
  get(resource: string, name: string, resourceVersion?: string): Promise<Loose>;
  update(resource: string, object: KubeObject, options?: Partial<WriteOptions>): Promise<Loose>;
  patch(resource: string, name: string, patch: PatchBody, options?: Partial<WriteOptions>): Promise<Loose>;
  remove(
    resource: string,
    name: string,
    options?: Partial<DeleteOptions>,
  ): Promise<{ object: Loose; finished: boolean }>;
  list(resource: string, query?: ListQuery): Promise<StoredList>;
  watch(
    resource: string,
    query: WatchQuery,
    signal?: AbortSignal,
    ending?: AbortSignal,
  ): Promise<AsyncIterator<StoredEvent>>;
  /** Waits (a turn at a time) until `check` returns something. */
  eventually<T>(check: () => Promise<T | undefined>): Promise<T>;
  stop(): Promise<void>;
}

export interface ApiFixtureOptions {
  storage?: Storage;
  clock?: Clock;
  /** What certificates are signed with. @defaultValue none are */
  authority?: () => Promise<CertificateAuthority>;
}

export async function startApi(options: ApiFixtureOptions = {}): Promise<ApiFixture> {
  const storage = options.storage ?? createFakeStorage();
  const clock = options.clock ?? systemClock;
  const registries = createRegistries({
    storage,
    definitions: allDefinitions(),
    ...(options.authority === undefined ? {} : { authority: options.authority }),
    clock,
    logger: silentLogger,
    metrics: noMetrics,
  });
  const lifetime = new AbortController();
  const warnings: string[] = [];
  await registries.start(lifetime.signal);
  const fixture = fixtureOver(registries, warnings, async () => {
    lifetime.abort();
    await registries.stop();
    if (options.storage === undefined) await storage.close();
  });
  try {
    await fixture.eventually(() => Promise.resolve(registries.ready() === true ? true : undefined));
    await fixture.eventually(() => fixture.get('namespaces', 'hostler-nodes', '0').catch(() => undefined));
    return fixture;
  } catch (error) {
    await fixture.stop();
    throw error;
  }
}

function fixtureOver(registries: Registries, warnings: string[], stop: () => Promise<void>): ApiFixture {
  const call = (signal: AbortSignal = AbortSignal.timeout(20_000)): Call => ({
    user: { name: 'test', groups: [] },
    signal,
    warn: (message) => warnings.push(message),
  });
  const registry = (resource: string): Registry => {
    const found = registries.all().find(({ definition }) => definition.resource === resource);
    if (found === undefined) throw new Error(`no registry for ${resource}`);
    return found;
  };
  const named = (resource: string, name: string): { name: string; namespace?: string } =>
    registry(resource).definition.namespaced ? { name, namespace: 'default' } : { name };
  const writing = (given: Partial<WriteOptions> = {}): WriteOptions => ({
    dryRun: false,
    fieldValidation: 'Warn',
    ...given,
  });
  return {
    registries,
    warnings,
    registry,
    async create(resource, object, options) {
      const { namespaced } = registry(resource).definition;
      const namespace = namespaced ? (object.metadata.namespace ?? 'default') : undefined;
      return (await registry(resource).create(namespace, object, writing(options), call())).object as Loose;
    },
    async get(resource, name, resourceVersion) {
      return (await registry(resource).get(named(resource, name), resourceVersion, call())).object as Loose;
    },
    async update(resource, object, options) {
      const name = named(resource, object.metadata.name);
      return (await registry(resource).update(name, object, writing(options), call())).object as Loose;
    },
    async patch(resource, name, patch, options) {
      const target = named(resource, name);
      return (await registry(resource).patch(target, patch, writing(options), call())).object as Loose;
    },
    async remove(resource, name, options) {
      const target = named(resource, name);
      const done = await registry(resource).delete(target, { dryRun: false, ...options }, call());
      return { object: done.object.object as Loose, finished: done.finished };
    },
    list: (resource, query = {}) => registry(resource).list(query, call()),
    async watch(resource, query, signal, ending) {
      const ends = ending === undefined ? {} : { ending };
      const events = await registry(resource).watch(query, { ...call(signal), ...ends });
      return events[Symbol.asyncIterator]();
    },
    eventually: (check) => until('it came about', check, { withinMs: 15_000, pollMs: 5 }),
    stop,
  };
}

/** The Status with which `work` is refused. */
export async function refusalOf(work: Promise<unknown>): Promise<Status> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ApiError) return error.status;
    throw error;
  }
  throw new Error('it was not refused');
}

export function container(
  name: string,
  more: { metadata?: Partial<ObjectMeta>; spec?: Partial<ContainerSpec>; status?: object } = {},
): Loose {
  return {
    apiVersion: API_VERSION,
    kind: 'Container',
    metadata: { name, ...more.metadata },
    spec: { image: 'images:debian/12', ...more.spec },
    ...(more.status === undefined ? {} : { status: more.status }),
  };
}

export function configMap(
  name: string,
  data: Record<string, string> = {},
  metadata: Partial<ObjectMeta> = {},
): Loose {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data };
}
