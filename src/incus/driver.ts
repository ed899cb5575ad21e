import type { Clock } from '../ports/clock.ts';
import type { HostDriver, InstanceSpec } from '../ports/host-driver.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import { type Api, createApi } from './api.ts';
import { type Endpoint, openPool, openWebSocket } from './endpoint.ts';
import { createInstance } from './creation.ts';
import { followEvents, type InstanceEvent } from './event-stream.ts';
import { abortFault, isLostReply } from './faults.ts';
import { describeHost } from './host.ts';
import { createImages, type Images, type Remote } from './images.ts';
import type { InstanceContext } from './instance.ts';
import * as instances from './instances.ts';
import { getLastEnd } from './last-end.ts';
import { forgetInstance, recoverInstance } from './shared-root.ts';
import { deletePool, ensurePool, listPools } from './pools.ts';
import { createLiveProbe, type Machine, thisMachine } from './live.ts';
import { createRootSize } from './root-size.ts';
import { ownNetwork, type TransferNetwork } from './relay.ts';
import { Server } from './server.ts';
import { createTransfers } from './transfers.ts';

/**
 * The host driver over the REST API that Incus and LXD share. What a daemon can do is read from its `api_extensions`,
 * never from its name. It holds nothing that is not the daemon's, apart from connections and imports under way.
 */
export interface IncusDriverOptions {
  endpoint: Endpoint;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  /** Image servers by the names that references use: `images` for `images:debian/12`. @defaultValue none */
  remotes?: Readonly<Record<string, Remote>>;
  /** PEM, trusted for https image references beside the system's own authorities. */
  imageServerCa?: Buffer;
  /** Where the connections of incoming copies go through. @defaultValue that of this process, where it shares the host with the daemon */
  transferNetwork?: TransferNetwork;
  /** Where the daemon runs. @defaultValue this one */
  machine?: Machine;
  /** For one request. @defaultValue 10 000 */
  requestTimeoutMs?: number;
  /** For a change, its operation included; a clean stop has its grace on top. @defaultValue 120 000 */
  operationTimeoutMs?: number;
  /** For the import of one image. @defaultValue 600 000 */
  imageTimeoutMs?: number;
}

export function createIncusDriver(options: IncusDriverOptions): HostDriver {
  const { clock, metrics, endpoint, operationTimeoutMs = 120_000, requestTimeoutMs = 10_000 } = options;
  const logger = options.logger.child({ component: 'incus' });
  const lifetime = new AbortController();
  const api = createApi({ pool: openPool(endpoint), clock, metrics, requestTimeoutMs, operationTimeoutMs });
  const images = imagesOf(options, api, lifetime.signal);
  const stopping = new Counter();
  const leaving = new Set<string>();
  const changing = new Counter();
  const isLocal = 'socketPath' in endpoint;
  const server = new Server(api, createLiveProbe({ clock, isLocal }, options.machine));
  const contextOf = contextsOf({ api, clock, operationTimeoutMs }, server);

  return {
    describeHost: (signal) => again(signal, async () => describeHost(api, await server.view(signal), signal)),
    listInstances: (signal) => again(signal, () => instances.listInstances(api, signal)),
    getInstance: (name, signal) => again(signal, () => instances.getInstance(api, name, signal)),
    getAddresses: (name, signal) => again(signal, () => instances.getAddresses(api, name, signal)),
    ensureImage: (reference, signal) => again(signal, () => images.ensure(reference, signal)),
    listImages: (signal) => again(signal, () => images.list(signal)),
    createInstance: (spec, { start }, signal) =>
      changing.during(spec.name, () =>
        again(signal, async () => createInstance(await contextOf(signal, spec), spec, { start }, signal)),
      ),
    updateInstance: (spec, signal) =>
      changing.during(spec.name, () =>
        again(signal, async () => instances.updateInstance(await contextOf(signal, spec), spec, signal)),
      ),
    startInstance: (name, signal) => {
      leaving.delete(name);
      return again(signal, async () => instances.startInstance(await contextOf(signal), name, signal));
    },
    stopInstance: (name, graceMs, signal) =>
      stopping.during(name, () =>
        again(signal, async () => instances.stopInstance(await contextOf(signal), name, graceMs, signal)),
      ),
    deleteInstance: async (name, uid, signal) => {
      await again(signal, async () => instances.deleteInstance(await contextOf(signal), name, uid, signal));
      leaving.delete(name);
    },
    getLastEnd: (name, signal) => again(signal, () => getLastEnd({ api, clock }, name, signal)),
    recoverInstance: (root, signal) => again(signal, () => recoverInstance(api, root, signal)),
    forgetInstance: (root, signal) => again(signal, () => forgetInstance(api, root, signal)),
    ...createTransfers({
      api,
      clock,
      network: options.transferNetwork ?? (isLocal ? ownNetwork : undefined),
      server: (signal) => server.view(signal),
      live: (signal) => server.live(signal),
      context: contextOf,
      rootBytes: rootBytesOf(options),
      whileChanging: (name, run) => changing.during(name, run),
      onLeaving: (name, isLeaving) => void (isLeaving ? leaving.add(name) : leaving.delete(name)),
      again,
    }),
    listPools: (signal) => again(signal, () => listPools(api, signal)),
    ensurePool: (spec, signal) =>
      again(signal, async () =>
        ensurePool({ api, abilities: await server.abilities(false, signal) }, spec, signal),
      ),
    deletePool: (name, uid, signal) => again(signal, () => deletePool(api, name, uid, signal)),
    events: (signal) =>
      followEvents(
        {
          clock,
          logger,
          open: (path) => openWebSocket(endpoint, path),
          isStopping: (name) => stopping.has(name) || leaving.has(name),
          filter: () => oursOnly(api, (name) => changing.has(name)),
        },
        AbortSignal.any([signal, lifetime.signal]),
      ),
    close: async () => {
      lifetime.abort();
      await api.close();
    },
  };
}

function contextsOf(parts: Omit<InstanceContext, 'abilities'>, server: Server) {
  return async (signal: AbortSignal, spec?: InstanceSpec): Promise<InstanceContext> => ({
    ...parts,
    abilities: await server.abilities(spec?.movesLive === true, signal),
  });
}

function imagesOf(options: IncusDriverOptions, api: Api, lifetime: AbortSignal): Images {
  return createImages({
    api,
    clock: options.clock,
    lifetime,
    remotes: options.remotes ?? {},
    imageTimeoutMs: options.imageTimeoutMs ?? 600_000,
    imageServerCa: options.imageServerCa,
  });
}

/** Only where the files of the daemon are at hand. */
function rootBytesOf({
  endpoint,
  clock,
  machine = thisMachine,
}: IncusDriverOptions): ReturnType<typeof createRootSize> {
  return 'socketPath' in endpoint
    ? createRootSize({ machine, clock }, endpoint.socketPath)
    : async () => undefined;
}

/** Once more after a lost reply: every call observes before it changes, so that the second one finds what the first did. */
async function again<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw abortFault(signal);
  try {
    return await run();
  } catch (error) {
    if (!isLostReply(error) || signal.aborted) throw error;
    return run();
  }
}

/**
 * Events carry no configuration: whether an instance is ours is asked when its name first comes up, and again when it is made or
 * changed, unless that is our own doing just now.
 */
function oursOnly(
  api: Api,
  isChanging: (name: string) => boolean,
): (event: InstanceEvent, signal: AbortSignal) => Promise<boolean> {
  const known = new Map<string, boolean>();
  return async ({ name, type }, signal) => {
    const remembered = known.get(name);
    if (type === 'deleted') {
      known.delete(name);
      // What is gone cannot be asked any more, and the reader knows its own names.
      return remembered ?? true;
    }
    if (remembered !== undefined && type !== 'created' && type !== 'updated') return remembered;
    if (isChanging(name)) {
      known.set(name, true);
      return true;
    }
    const instance = await instances.getInstance(api, name, signal);
    if (instance === undefined) return true;
    known.set(name, instance.mark !== undefined);
    return instance.mark !== undefined;
  };
}

/** Names that are being worked on, by however many at once. */
class Counter {
  readonly #counts = new Map<string, number>();

  has(name: string): boolean {
    return this.#counts.has(name);
  }

  async during<T>(name: string, run: () => Promise<T>): Promise<T> {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    try {
      return await run();
    } finally {
      const left = (this.#counts.get(name) ?? 1) - 1;
      if (left === 0) this.#counts.delete(name);
      else this.#counts.set(name, left);
    }
  }
}
