import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseImageReference } from '../../src/incus/image-reference.ts';
import { waitsForRestart } from '../../src/incus/settings.ts';
import { checkPool, checkSpec } from './fake-host-checks.ts';
import { Subscriber, unavailable } from './fake-host-events.ts';
import {
  isRootPool,
  keepShared,
  knownRoot,
  makeRootPool,
  notOurs,
  onSharedStorage,
  type SharedInstance,
} from './fake-shared-roots.ts';
import {
  type FakeIncoming,
  type FakeNetwork,
  type FakeOffer,
  fakeTransfers,
  refuseIncoming,
  releaseDead,
} from './fake-transfers.ts';
import { type Clock, sleep } from '../../src/ports/clock.ts';
import { HostlerError } from '../../src/ports/errors.ts';
import type {
  HostDriver,
  HostEvent,
  HostFacts,
  HostPool,
  Instance,
  InstanceMark,
  InstanceSpec,
  LastEnd,
  PoolSpec,
} from '../../src/ports/host-driver.ts';
import type { TransferFacts } from '../../src/ports/host-transfer.ts';

/** A host in memory, which passes the same contract suite as the real ones, with faults to inject. */
export interface FakeHost extends HostDriver {
  /** Every call that reached the daemon, as `startInstance web--default`. */
  readonly calls: string[];
  /** The daemon's own view; tests change it to play a person at the host's command line. */
  readonly instances: Map<string, FakeInstance>;
  readonly pools: Map<string, FakePool>;
  /** What lies on shared storage, by folder. */
  readonly sharedRoots: Map<string, SharedInstance>;
  /** References that ensureImage knows besides files; add to it what a test asks for. */
  readonly images: Map<string, string>;
  facts: HostFacts;
  /** The other hosts that this one reaches, by the address of their daemon; itself among them. */
  readonly network: FakeNetwork;
  transferFacts: TransferFacts;
  /** Offers of this host, by operation. */
  readonly offers: Map<string, FakeOffer>;
  /** What one pass of a transfer takes, on the injected clock. @defaultValue 0 */
  passMs: number;
  /** A live pass counts as a success here, and ends at its source, but nothing runs: as with Incus 6.0, until its daemon has been down. */
  restoresFail: boolean;
  /** What each call takes, on the injected clock. @defaultValue 0 */
  delayMs: number;
  /** The instance ends by itself; the event says that nobody asked for it. @param end default: killed by signal 9 */
  crash(name: string, end?: LastEnd): void;
  /** A person starts or stops the instance by hand. */
  startByHand(name: string): void;
  stopByHand(name: string): void;
  /** The daemon goes away (every call is `Unavailable`, event streams break) or comes back. Instances run on. */
  setDown(down: boolean): void;
  isDown(): boolean;
  /** The next call of `method` is done, but its answer does not arrive: it rejects with `Unavailable`. */
  loseReply(method: Method): void;
  /** The next call of `method` rejects with `error` and does nothing. */
  failNext(method: Method, error: HostlerError): void;
}

export type Method = Exclude<keyof HostDriver, 'events' | 'close'>;

export interface FakeInstance {
  spec: Omit<InstanceSpec, 'mark'> & { mark?: InstanceMark };
  status: Instance['status'];
  createdAt: string;
  lastStartedAt?: string;
  /** How it ended; absent while it runs, and when it never ran. */
  lastEnd?: LastEnd;
  /** What is in its root, which moves with it: tests write here what a container would. */
  files?: Record<string, string>;
  incoming?: FakeIncoming;
  /** The configuration of its last start. */
  startedWith: Readonly<Record<string, string>>;
}

export interface FakePool {
  spec: Omit<PoolSpec, 'uid'> & { uid?: string };
  usedBytes: number;
}

const TOTAL_BYTES = 10 * 2 ** 30;

export const FAKE_HOST_FACTS: HostFacts = {
  runtime: 'incus',
  runtimeVersion: '6.0.4',
  kernelVersion: '6.1.0',
  operatingSystem: 'Debian GNU/Linux 12',
  architecture: 'x86_64',
  hostname: 'fake',
  cpuCount: 4,
  memoryBytes: 8 * 2 ** 30,
  addresses: ['192.0.2.1'],
  networks: ['incusbr0'],
};

/**
 * @param clock gives time stamps, and how long `delayMs` and `passMs` are
 * @param sharedRoots the same map for hosts that share a filesystem
 * @param network the same map for hosts that reach each other; `address` tells them apart
 */
export function createFakeHost(
  clock: Clock,
  sharedRoots = new Map<string, SharedInstance>(),
  {
    network = new Map(),
    address = 'https://192.0.2.1:8443',
  }: { network?: FakeNetwork; address?: string } = {},
): FakeHost {
  const subscribers = new Set<Subscriber>();
  const lost: Method[] = [];
  const failures = new Map<Method, HostlerError>();
  const imported = new Map<string, string>();
  let down = false;

  const stamp = (): string => new Date(clock.nowMs()).toISOString();
  const emit = (event: HostEvent): void => {
    if (down) return;
    if ('name' in event && host.instances.get(event.name)?.spec.mark === undefined) return;
    for (const subscriber of subscribers) subscriber.push(event);
  };
  const call = async <T>(
    method: Method,
    what: string,
    signal: AbortSignal,
    run: () => T,
  ): Promise<Awaited<T>> => {
    if (signal.aborted) throw aborted();
    if (host.delayMs > 0 && !(await sleep(clock, host.delayMs, signal))) throw aborted();
    if (down) throw unavailable('the daemon does not answer');
    host.calls.push(`${method} ${what}`.trim());
    const failure = failures.get(method);
    failures.delete(method);
    if (failure !== undefined) throw failure;
    const result = await run();
    const index = lost.indexOf(method);
    if (index < 0) return result;
    lost.splice(index, 1);
    throw unavailable('the connection was lost before the answer');
  };
  const start = (name: string, instance: FakeInstance): void => {
    instance.status = 'Running';
    delete instance.lastEnd;
    instance.lastStartedAt = stamp();
    instance.startedWith = instance.spec.config;
    emit({ type: 'started', name });
  };
  const stop = (name: string, instance: FakeInstance, requested: boolean): void => {
    instance.status = 'Stopped';
    emit({ type: 'stopped', name, requested });
  };
  const existing = (name: string): FakeInstance => {
    const instance = host.instances.get(name);
    if (instance === undefined) throw new HostlerError('NotFound', `instance ${name} not found`);
    return instance;
  };
  const ours = (name: string): FakeInstance => {
    const instance = existing(name);
    if (instance.spec.mark !== undefined) return instance;
    throw new HostlerError('Forbidden', `instance ${name} is not one of ours`);
  };

  const host: FakeHost = {
    calls: [],
    instances: new Map(),
    pools: new Map([
      ['default', { spec: { name: 'default', driver: 'dir', config: {} }, usedBytes: 0 } satisfies FakePool],
    ]),
    sharedRoots,
    images: new Map(),
    facts: FAKE_HOST_FACTS,
    network,
    transferFacts: {
      address,
      certificate: `certificate of ${address}`,
      live: { possible: true, message: 'criu 4.2' },
    },
    offers: new Map(),
    delayMs: 0,
    passMs: 0,
    restoresFail: false,

    crash(name, end = { kind: 'error', message: 'Killed by signal 9' }) {
      existing(name).lastEnd = end;
      stop(name, existing(name), false);
    },
    startByHand: (name) => start(name, existing(name)),
    stopByHand: (name) => stop(name, existing(name), true),
    setDown(value) {
      const back = down && !value;
      down = value;
      if (back) releaseDead(host.instances);
      if (back) emit({ type: 'resync' });
    },
    isDown: () => down,
    loseReply: (method) => void lost.push(method),
    failNext: (method, error) => void failures.set(method, error),

    describeHost: (signal) => call('describeHost', '', signal, () => host.facts),
    listInstances: (signal) =>
      call('listInstances', '', signal, () =>
        [...host.instances]
          .filter(([, { spec }]) => spec.mark !== undefined)
          .map(([name, it]) => seen(name, it)),
      ),
    getInstance: (name, signal) =>
      call('getInstance', name, signal, () => {
        const instance = host.instances.get(name);
        return instance === undefined ? undefined : seen(name, instance);
      }),
    getAddresses: (name, signal) =>
      call('getAddresses', name, signal, () => {
        const index = [...host.instances.keys()].indexOf(name);
        const { status, spec } = host.instances.get(name) ?? {};
        return status === 'Running' && spec !== undefined && spec.networks.length > 0
          ? [`192.0.2.${10 + index}`]
          : [];
      }),
    ensureImage: (reference, signal) =>
      call('ensureImage', reference, signal, async () => {
        const fingerprint = await resolveImage(reference, host.images);
        imported.set(reference, fingerprint);
        return fingerprint;
      }),
    listImages: (signal) =>
      call('listImages', '', signal, () =>
        [...imported].map(([reference, fingerprint]) => ({ reference, fingerprint })),
      ),

    createInstance: (spec, options, signal) =>
      call('createInstance', spec.name, signal, () => {
        const old = host.instances.get(spec.name);
        if (old !== undefined && old.spec.mark?.uid !== spec.mark.uid) {
          throw new HostlerError('AlreadyExists', `there is another instance ${spec.name} on the host`);
        }
        if (old === undefined) {
          if (spec.rootSource !== undefined) makeRootPool(spec, host);
          checkSpec(spec, host);
          if (![...imported.values()].includes(spec.imageFingerprint)) {
            throw new HostlerError('Invalid', `image ${spec.imageFingerprint} is not on the host`);
          }
          host.instances.set(spec.name, { spec, status: 'Stopped', createdAt: stamp(), startedWith: {} });
          keepShared(spec.name, host);
          emit({ type: 'created', name: spec.name });
        }
        const instance = existing(spec.name);
        refuseIncoming(spec.name, instance);
        if (options.start && instance.status !== 'Running') start(spec.name, instance);
      }),
    updateInstance: (spec, signal) =>
      call('updateInstance', spec.name, signal, () => {
        const instance = ours(spec.name);
        if (instance.spec.mark?.uid !== spec.mark.uid) throw notOurs(`instance ${spec.name}`);
        refuseIncoming(spec.name, instance);
        checkSpec(spec, host);
        if (spec.rootPool !== instance.spec.rootPool)
          throw new HostlerError('Invalid', 'the root pool is fixed');
        if (JSON.stringify(instance.spec) !== JSON.stringify(spec))
          emit({ type: 'updated', name: spec.name });
        const { rootSource } = instance.spec;
        instance.spec = { ...spec, ...(rootSource === undefined ? {} : { rootSource }) };
        keepShared(spec.name, host);
        return { restartRequired: instance.status === 'Running' ? differences(instance) : [] };
      }),
    startInstance: (name, signal) =>
      call('startInstance', name, signal, () => {
        const instance = ours(name);
        refuseIncoming(name, instance);
        if (instance.status !== 'Running') start(name, instance);
      }),
    stopInstance: (name, _graceMs, signal) =>
      call('stopInstance', name, signal, () => {
        if (!host.instances.has(name)) return;
        const instance = ours(name);
        if (instance.status !== 'Stopped') stop(name, instance, true);
      }),
    deleteInstance: (name, uid, signal) =>
      call('deleteInstance', name, signal, () => {
        const instance = host.instances.get(name);
        if (instance === undefined) return;
        if (instance.spec.mark?.uid !== uid) throw notOurs(`instance ${name}`);
        if (instance.spec.rootSource !== undefined) throw onSharedStorage(`instance ${name}`);
        refuseIncoming(name, instance);
        if (instance.status !== 'Stopped') throw new HostlerError('Conflict', `instance ${name} is running`);
        emit({ type: 'deleted', name });
        host.instances.delete(name);
      }),
    recoverInstance: (root, signal) =>
      call('recoverInstance', root.name, signal, () => {
        if (knownRoot(root, host) !== undefined) return;
        const found = host.sharedRoots.get(root.source);
        if (found?.spec.name !== root.name || found.spec.mark?.uid !== root.uid) {
          throw new HostlerError('NotFound', `there is no instance ${root.name} in ${root.source}`);
        }
        makeRootPool({ ...(found.spec as InstanceSpec), rootSource: root.source }, host);
        checkSpec(found.spec as InstanceSpec, host);
        host.instances.set(root.name, { ...found, status: 'Stopped', startedWith: {} });
        emit({ type: 'created', name: root.name });
      }),
    forgetInstance: (root, signal) =>
      call('forgetInstance', root.name, signal, () => {
        const instance = knownRoot(root, host);
        if (instance !== undefined && instance.status !== 'Stopped') {
          throw new HostlerError('Conflict', `instance ${root.name} is running`);
        }
        const pool = host.pools.get(root.pool);
        if (pool !== undefined && !isRootPool(pool, root.uid)) throw notOurs(`storage pool ${root.pool}`);
        host.instances.delete(root.name);
        host.pools.delete(root.pool);
      }),

    getLastEnd: (name, signal) =>
      call('getLastEnd', name, signal, () => {
        const unknown: LastEnd = { kind: 'unknown', message: 'How it ended is not known' };
        return host.instances.get(name)?.lastEnd ?? unknown;
      }),

    listPools: (signal) =>
      call('listPools', '', signal, () => [...host.pools.values()].map((pool) => seenPool(pool, host))),
    ensurePool: (spec, signal) =>
      call('ensurePool', spec.name, signal, () => {
        const old = host.pools.get(spec.name);
        if (old !== undefined && old.spec.uid !== spec.uid) {
          throw new HostlerError('AlreadyExists', `there is another storage pool ${spec.name} on the host`);
        }
        checkPool(spec, old);
        host.pools.set(spec.name, { spec, usedBytes: old?.usedBytes ?? 0 });
      }),
    deletePool: (name, uid, signal) =>
      call('deletePool', name, signal, () => {
        const pool = host.pools.get(name);
        if (pool === undefined) return;
        if (pool.spec.uid !== uid) throw notOurs(`storage pool ${name}`);
        if (isRootPool(pool, uid)) throw onSharedStorage(`storage pool ${name}`);
        if (isUsed(name, host)) throw new HostlerError('Conflict', `storage pool ${name} is in use`);
        host.pools.delete(name);
      }),

    ...fakeTransfers({
      clock,
      call,
      checkSpec: (spec) => checkSpec(spec, host),
      start,
      emit: (type, name) => emit({ type, name }),
      host: () => host,
    }),

    async *events(signal) {
      const subscriber = new Subscriber(signal);
      subscribers.add(subscriber);
      if (!down) subscriber.push({ type: 'resync' });
      try {
        while (!signal.aborted) {
          const event = await subscriber.next();
          if (event !== undefined) yield event;
        }
      } finally {
        subscribers.delete(subscriber);
      }
    },
    close: async () => {
      for (const subscriber of subscribers) subscriber.close();
    },
  };
  network.set(address, host);
  return host;
}

function seen(name: string, { spec, status, createdAt, lastStartedAt, incoming }: FakeInstance): Instance {
  return {
    name,
    ...(spec.mark === undefined ? {} : { mark: spec.mark }),
    ...(spec.rootSource === undefined ? {} : { isRootShared: true }),
    ...(incoming === undefined ? {} : { incoming: incoming.migration }),
    status,
    imageFingerprint: spec.imageFingerprint,
    createdAt,
    ...(lastStartedAt === undefined ? {} : { lastStartedAt }),
  };
}

function seenPool({ spec, usedBytes }: FakePool, host: FakeHost): HostPool {
  return {
    name: spec.name,
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    driver: spec.driver,
    ...(spec.driver === 'dir' ? { path: spec.source ?? `/storage-pools/${spec.name}` } : {}),
    status: 'Created',
    totalBytes: spec.sizeBytes ?? TOTAL_BYTES,
    usedBytes,
    inUse: isUsed(spec.name, host),
  };
}

function isUsed(pool: string, host: FakeHost): boolean {
  return [...host.instances.values()].some(({ spec }) => spec.rootPool === pool);
}

function differences({ spec: { config }, startedWith }: FakeInstance): string[] {
  const keys = new Set([...Object.keys(config), ...Object.keys(startedWith)]);
  return [...keys].filter((key) => waitsForRestart(key) && config[key] !== startedWith[key]).sort();
}

async function resolveImage(reference: string, images: ReadonlyMap<string, string>): Promise<string> {
  const known = images.get(reference);
  if (known !== undefined) return known;
  const parsed = parseImageReference(reference);
  if (parsed.from === 'url') throw unavailable(`${parsed.url} cannot be reached`);
  if (parsed.from === 'remote') throw new HostlerError('NotFound', `no remote ${parsed.remote}`);
  try {
    return createHash('sha256')
      .update(await readFile(parsed.path))
      .digest('hex');
  } catch (cause) {
    throw new HostlerError('NotFound', `no image file ${parsed.path}`, { cause });
  }
}

function aborted(): HostlerError {
  return new HostlerError('Aborted', 'the call was given up');
}
