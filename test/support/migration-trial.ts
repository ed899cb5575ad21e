import { type Agent, createAgent } from '../../src/agent/agent.ts';
import type { DesiredState } from '../../src/agent/state/desired-state-file.ts';
import { createControllers } from '../../src/controllers/index.ts';
import { type Container, type ContainerSpec, containerKind } from '../../src/crds/container.ts';
import { API_VERSION } from '../../src/crds/kind.ts';
import { type Migration, type MigrationSpec, migrationKind } from '../../src/crds/migration.ts';
import type { KubeObject } from '../../src/crds/object.ts';
import { DEFAULT_ALLOWED_CONFIG } from '../../src/plan/lifecycle/config-filter.ts';
import { HostlerError } from '../../src/ports/errors.ts';
import { silentLogger } from '../../src/ports/logger.ts';
import { noMetrics } from '../../src/ports/metrics.ts';
import { container, node, storagePool } from './cluster-objects.ts';
import { type ControllerTrial, startTrial } from './controller-trial.ts';
import { createFakeFolders } from './fake-folders.ts';
import { createFakeGuard, type FakeGuard } from './fake-guard.ts';
import type { Method } from './fake-daemon.ts';
import { createFakeHost, type FakeHost, type FakeInstance } from './fake-host.ts';
import type { FakeNetwork } from './fake-transfers.ts';

/** A host with its agent and guard, which can be killed and come back. */
export interface TrialHost {
  readonly name: string;
  readonly host: FakeHost;
  readonly guard: FakeGuard;
  /** SIGKILL: nothing that the agent has begun goes on in it; the daemon goes on. */
  kill(): void;
  start(): void;
  isUp(): boolean;
  /** The host is off: nothing runs, nothing answers. */
  powerOff(): void;
  powerOn(): void;
  /** The next call of `method` fails. */
  failOnce(method: Method): void;
  /** What runs here, by instance. */
  running(): string[];
  instances(): string[];
}

/** All controllers and real agents, over the API and daemons in memory, on a clock that stands still. */
export interface MigrationTrial extends ControllerTrial {
  readonly hosts: Readonly<Record<string, TrialHost>>;
  run(seconds: number): Promise<void>;
  create(name: string, spec: Partial<MigrationSpec>): Promise<Migration>;
  migration(name: string): Migration | undefined;
  phase(name: string): string | undefined;
  container(name: string): Container;
  /** A file in the root of the container `name`, where it runs; undefined: it runs nowhere. */
  read(name: string, file: string): string | undefined;
  write(name: string, file: string, text: string): void;
  /** Runs until `isSo`, at most `seconds`. @returns whether it was so */
  until(isSo: () => boolean, seconds?: number): Promise<boolean>;
  place(name: string, nodeName: string, spec?: Partial<ContainerSpec>): Promise<void>;
}

export const IMAGE = 'images:debian/12';
const { signal } = new AbortController();

export async function startMigrations(
  names: readonly string[] = ['host-1', 'host-2', 'host-3'],
  ...objects: KubeObject[]
): Promise<MigrationTrial> {
  const trial = await startTrial(createControllers, [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'hostler-nodes', uid: 'cluster-1' } },
    ...names.map((name) => node(name, { ready: false })),
    ...names.map(vacantLease),
    storagePool(),
    ...objects,
  ]);
  const network: FakeNetwork = new Map();
  const sharedRoots = new Map();
  const hosts = Object.fromEntries(
    names.map((name, index) => [name, createTrialHost(trial, { name, index, network, sharedRoots })]),
  );
  const find = <T extends KubeObject>(all: readonly T[], name: string): T | undefined =>
    all.find(({ metadata }) => metadata.name === name);
  const { store, clock } = trial;
  const result: MigrationTrial = Object.assign(trial, {
    hosts,
    run: (seconds: number) => clock.advance(seconds * 1_000),
    create: (name: string, spec: Partial<MigrationSpec>) =>
      store.create<Migration>(migrationKind, newMigration(name, spec), signal),
    migration: (name: string) => find(store.all<Migration>(migrationKind), name),
    phase: (name: string) => find(store.all<Migration>(migrationKind), name)?.status?.phase,
    read: (name: string, file: string) => runningOf(hosts, name)?.files?.[file],
    write(name: string, file: string, text: string) {
      const instance = runningOf(hosts, name);
      if (instance === undefined) throw new Error(`${name} runs nowhere`);
      instance.files = { ...instance.files, [file]: text };
    },
    container: (name: string) => find(store.all<Container>(containerKind), name) as Container,
    async until(isSo: () => boolean, seconds = 60) {
      for (let step = 0; step < seconds * 20; step += 1) {
        if (isSo()) return true;
        await clock.advance(50);
      }
      return isSo();
    },
    async place(name: string, nodeName: string, spec: Partial<ContainerSpec> = {}) {
      const wanted = { image: IMAGE, placement: { nodeSelector: { 'hostler.dev/host': nodeName } }, ...spec };
      await store.create(containerKind, container(name, { spec: wanted }), signal);
      await clock.advance(3_000);
      const placed = find(store.all<Container>(containerKind), name) as Container;
      store.seed({ ...placed, spec: { ...placed.spec, placement: {}, ...spec } } as Container);
      await clock.advance(1_000);
    },
    async stop() {
      for (const host of Object.values(hosts)) host.kill();
      await clock.advance(0);
      await trial.end();
    },
  });
  for (const host of Object.values(hosts)) host.start();
  await result.run(20);
  return result;
}

function runningOf(hosts: Readonly<Record<string, TrialHost>>, name: string): FakeInstance | undefined {
  const instances = Object.values(hosts).map(({ host }) => host.instances.get(`${name}--default`));
  return instances.find((instance) => instance?.status === 'Running');
}

function newMigration(name: string, spec: Partial<MigrationSpec>): Migration {
  return {
    apiVersion: API_VERSION,
    kind: migrationKind.kind,
    metadata: { name, namespace: 'default', generation: 1 },
    spec: { container: 'web', ...spec },
  };
}

function createTrialHost(
  { store, clock, events }: ControllerTrial,
  {
    name,
    index,
    network,
    sharedRoots,
  }: { name: string; index: number; network: FakeNetwork; sharedRoots: FakeHost['sharedRoots'] },
): TrialHost {
  const address = `https://192.0.2.${index + 1}:8443`;
  const host = createFakeHost(clock, sharedRoots, { network, address });
  host.images.set(IMAGE, 'a'.repeat(64));
  // The agent makes it anew, as one of its own.
  host.pools.clear();
  const guard = createFakeGuard(clock);
  const disk: { content?: DesiredState } = {};
  let agent: Agent | undefined;
  let life = { isUp: false, stop: new AbortController() };
  const watch = (): void => {
    guard.enforce(
      (instance) => host.instances.get(instance)?.status === 'Running' && host.stopByHand(instance),
    );
    clock.schedule(250, watch);
  };
  watch();
  const start = (): void => {
    const mine = { isUp: true, stop: new AbortController() };
    life = mine;
    const api = severed(store, () => mine.isUp);
    agent = createAgent(options(name), {
      store: api,
      leaseStore: api,
      guard: guard.open(),
      knownPeers: { read: async () => undefined, write: async () => undefined },
      host: severed(host, () => mine.isUp),
      clock,
      logger: silentLogger,
      metrics: noMetrics,
      events: {
        record: (about, type, reason, message) =>
          void events.push(`${type} ${reason} ${about.namespace}/${about.name}: ${message}`),
      },
      folders: createFakeFolders((path) => host.sharedRoots.has(path)),
      desiredState: {
        read: async () => structuredClone(disk.content),
        write: async (state) => {
          if (mine.isUp) disk.content = structuredClone(state);
        },
        setAside: async () => 'aside',
      },
    });
    void agent.run(mine.stop.signal).catch(() => undefined);
  };
  const kill = (): void => {
    life.isUp = false;
    life.stop.abort();
  };
  return {
    name,
    host,
    guard,
    start,
    kill,
    isUp: () => life.isUp,
    powerOff() {
      kill();
      host.setDown(true);
      for (const instance of host.instances.values())
        if (instance.status === 'Running') instance.status = 'Stopped';
    },
    powerOn() {
      host.setDown(false);
      start();
    },
    failOnce: (method) => host.failNext(method, new HostlerError('Internal', 'it failed')),
    running: () => [...host.instances].filter(([, { status }]) => status === 'Running').map(([key]) => key),
    instances: () => [...host.instances.keys()],
  };
}

const options = (nodeName: string): Parameters<typeof createAgent>[0] => ({
  nodeName,
  labels: {},
  agentVersion: '0.1.0',
  defaultNetwork: 'incusbr0',
  allowedConfig: DEFAULT_ALLOWED_CONFIG,
  parallelCreates: 4,
  statusMs: 20_000,
  resyncMs: 30_000,
});

/** An agent that was killed asks for nothing more, and hears no answers. */
function severed<T extends object>(whole: T, isUp: () => boolean): T {
  return new Proxy(whole, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (!isUp()) return new Promise(() => undefined);
        const result: unknown = Reflect.apply(value, target, args);
        if (!(result instanceof Promise)) return result;
        return result.then(
          (answer: unknown) => (isUp() ? answer : new Promise(() => undefined)),
          (error: unknown) => (isUp() ? Promise.reject(error) : new Promise(() => undefined)),
        );
      };
    },
  });
}

const vacantLease = (name: string): KubeObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, namespace: 'hostler-nodes', annotations: { 'hostler.dev/rejoin': 'yes' } },
});
