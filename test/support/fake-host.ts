import { checkSpec } from './fake-host-checks.ts';
import type { FakeDaemon, Method } from './fake-daemon.ts';
import { Subscriber, unavailable } from './fake-host-events.ts';
import { fakeImages } from './fake-images.ts';
import { fakeInstances } from './fake-instances.ts';
import { fakePools } from './fake-pools.ts';
import { fakeSharedRoots } from './fake-shared-roots.ts';
import type { SharedInstance } from './fake-shared-roots.ts';
import {
  type FakeIncoming,
  type FakeNetwork,
  type FakeOffer,
  fakeTransfers,
  releaseDead,
} from './fake-transfers.ts';
import { type Clock, sleep } from '../../src/ports/clock.ts';
import { HostlerError } from '../../src/ports/errors.ts';
import type {
  HostDriver,
  HostEvent,
  HostFacts,
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

  const daemon: FakeDaemon = { clock, call, stamp, emit, start, stop, existing, ours, host: () => host };
  const images = fakeImages(daemon);

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
    ...images.driver,
    ...fakeInstances(daemon, images.has),
    ...fakeSharedRoots(daemon),
    ...fakePools(daemon),
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

function aborted(): HostlerError {
  return new HostlerError('Aborted', 'the call was given up');
}
