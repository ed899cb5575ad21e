import { mkdtemp, rm } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalApi } from '../../src/cmd/local/api.ts';
import { daemonRequest } from '../../src/cmd/local/daemon.ts';
import { type LocalHost, startHost } from '../../src/cmd/local/host.ts';
import { openNetwork } from '../../src/cmd/local/network.ts';
import { ensureAgent, type LocalCluster, logOf } from '../../src/cmd/local/parts.ts';
import { identityOf, run, signalProcess, waitForExit } from '../../src/cmd/local/process.ts';
import { anyServerApi, ensureControlPlane } from '../../src/cmd/local/servers.ts';
import { localStatus, type PartStatus } from '../../src/cmd/local/status.ts';
import { findLeaks, tearDown } from '../../src/cmd/local/teardown.ts';
import { hostNames, type LocalOptions, localPaths, localServers } from '../../src/config/local.ts';
import { instanceNameOf } from '../../src/crds/container.ts';
import { createKubectl, type Kubectl } from './kubectl.ts';
import { freePort } from './free-port.ts';

/**
 * A real cluster as `hostler up` makes it, for tests: three hosts with a real Incus each, reached by the stock kubectl
 * and, past everything of ours, through the hosts' daemons.
 */
export interface TestCluster {
  readonly stateDir: string;
  readonly kubectl: Kubectl;
  readonly hosts: readonly ClusterHost[];
  /** @throws Error when there is none of that name */
  host(name: string): ClusterHost;
  /** Where the instance of a Container is, on whatever host; more than one is an error. */
  find(namespace: string, name: string): Promise<FoundInstance | undefined>;
  /** One read of the API without the start of a kubectl, for polls. @returns undefined for 404 */
  get<T>(path: string): Promise<T | undefined>;
  /** One write, without one either; what is there, or is gone, already is as it should be. @throws Error when it is refused */
  send(method: 'POST' | 'DELETE', path: string, body?: object): Promise<void>;
  parts(): Promise<PartStatus[]>;
  /** SIGKILL to all of these parts at once: `server`, `host-1 agent`, …, as `hostler status` calls them. */
  kill(...parts: string[]): Promise<void>;
  signal(part: string, signal: NodeJS.Signals): Promise<void>;
  /** `hostler up`: starts whatever does not run. */
  up(): Promise<void>;
  startControlPlane(): Promise<void>;
  /** The agent alone, whether or not there is an API for it. */
  startAgent(host: string): Promise<void>;
  /** The last lines of a part's log: `server`, `host-1-agent`. */
  logTail(part: string, lines: number): string;
  /** Ends everything. @throws Error that lists what is left all the same */
  stop(): Promise<void>;
}

export interface ClusterHost {
  readonly name: string;
  /** A command in the host's namespaces, with its daemon's environment. @returns standard output */
  exec(argv: readonly string[]): Promise<string>;
  /** One request to the daemon. @returns its metadata; undefined when it says that there is no such thing */
  ask<T>(method: string, path: string, body?: object): Promise<T | undefined>;
  /** What the daemon says of an instance, with the state of the running one. */
  instance(name: string): Promise<FoundInstance | undefined>;
  /** Names of all instances. */
  instances(): Promise<string[]>;
  /** Whether this process of the host is there, whatever the daemon says. */
  isAlive(pid: number): boolean;
  /** What `kill -9` of the container's first process does. */
  killInit(instance: string): Promise<void>;
  /** Cuts the host off from all others, or connects it again. */
  setLink(up: boolean): Promise<void>;
  /** Pulls its mains plug; what is on its disk stays. `up` of the cluster starts it again. */
  cutPower(): Promise<void>;
}

export interface FoundInstance {
  host: ClusterHost;
  name: string;
  status: string;
  config: Record<string, string>;
  devices: Record<string, Record<string, string>>;
  /** Of the first process, in the host's pid namespace; 0 when it does not run. */
  pid: number;
  /** The limit that holds now. */
  memoryBytes: number;
  /** When it was last started, by the daemon's clock. */
  startedAtMs: number;
}

type InstanceView = Pick<FoundInstance, 'status' | 'config' | 'devices'> & { last_used_at: string };

const ROOT = join(import.meta.dirname, '../..');
const HOSTLER = join(ROOT, 'bin/hostler');
const HOSTS = hostNames(3);

/**
 * @param replicas servers of the control plane: one, or one on each of the three hosts
 * @param live whether its containers can move while they run; wants what `scripts/setup --live` brings
 */
export async function startTestCluster({
  replicas = 1,
  live = false,
}: { replicas?: 1 | 3; live?: boolean } = {}): Promise<TestCluster> {
  const stateDir = await mkdtemp('/var/tmp/hostler-e2e-');
  const port = await freePort();
  let locals: LocalHost[] = [];
  const up = async (): Promise<void> => {
    const counts = ['--hosts', String(HOSTS.length), '--replicas', String(replicas)];
    const flags = [...counts, '--port', String(port), '--state-dir', stateDir];
    if (live) flags.push('--live');
    await run([HOSTLER, 'up', ...flags], { timeoutMs: 120_000 });
    // Those that were down have new namespaces.
    const network = await openNetwork(stateDir);
    locals = await Promise.all(
      HOSTS.map((name) => startHost({ name, stateDir, network, runtime: 'incus', live })),
    );
  };
  const parts = async (): Promise<PartStatus[]> => (await localStatus(stateDir))?.parts ?? [];
  try {
    await up();
  } catch (error) {
    await remove(stateDir);
    throw error;
  }
  const paths = localPaths(stateDir);
  const node = join(ROOT, 'node_modules/node/bin/node');
  const options: LocalOptions = { stateDir, port, hosts: HOSTS.length, replicas, runtime: 'incus', live };
  const local: LocalCluster = {
    options,
    program: [existsSync(node) ? node : process.execPath, join(ROOT, 'dist/hostler.mjs')],
  };
  const network = await openNetwork(stateDir);
  const hosts = HOSTS.map((name) => clusterHost(name, () => named(locals, name)));
  const kubectl = await createKubectl(paths.kubeconfig);
  const api = anyServerApi(localServers(options));
  const cluster: Omit<TestCluster, 'kill' | 'signal'> = {
    stateDir,
    kubectl,
    hosts,
    host: (name) => named(hosts, name),
    find: (namespace, name) => findInstance(hosts, instanceNameOf({ metadata: { namespace, name } })),
    get: (path) => getFrom(api, path),
    send: (method, path, body) => sendTo(api, method, path, body),
    parts,
    up,
    startControlPlane: async () => void (await ensureControlPlane(local, network)),
    startAgent: async (name) => void (await ensureAgent(local, named(locals, name))),
    logTail: (part, lines) => tailOf(logOf(stateDir, part), lines),
    async stop() {
      await kubectl.close();
      await remove(stateDir);
    },
  };
  return { ...cluster, ...signals(parts) };
}

/** What the agent of `host` remembers on its disk. */
export function desiredStatePath(stateDir: string, host: string): string {
  return join(localPaths(stateDir).compartments, host, 'agent/desired-state.json');
}

function signals(parts: () => Promise<PartStatus[]>): Pick<TestCluster, 'kill' | 'signal'> {
  const identities = async (names: readonly string[]) => {
    const all = await parts();
    return names.map((name) => {
      const identity = identityOf(all.find(({ part }) => part === name)?.pid ?? 0);
      if (identity === undefined) throw new Error(`${name} does not run`);
      return identity;
    });
  };
  return {
    async signal(part, signal) {
      for (const identity of await identities([part])) signalProcess(identity, signal);
    },
    async kill(...names) {
      const all = await identities(names);
      for (const identity of all) signalProcess(identity, 'SIGKILL');
      for (const identity of all) {
        if (!(await waitForExit(identity, 10_000))) throw new Error(`Process ${identity.pid} does not end`);
      }
    },
  };
}

function clusterHost(hostName: string, local: () => LocalHost): ClusterHost {
  const ask: ClusterHost['ask'] = async (method, path, body) => {
    const answer = (await answerOf(local().socketPath, method, path, body)) as never;
    const { id } = (answer ?? {}) as { id?: string };
    const isOperation = method !== 'GET' && typeof id === 'string';
    return isOperation ? await finished(local().socketPath, id) : answer;
  };
  const host: ClusterHost = {
    name: hostName,
    exec: async (argv) => (await local().exec(argv)).stdout,
    ask,
    instances: async () =>
      ((await ask<{ name: string }[]>('GET', '/1.0/instances?recursion=1')) ?? []).map(({ name }) => name),
    isAlive: (pid) => existsSync(`/proc/${local().compartment.initPid}/root/proc/${pid}/stat`),
    async killInit(name) {
      const pid = (await host.instance(name))?.pid ?? 0;
      if (pid <= 0) throw new Error(`${name} does not run on ${hostName}`);
      await local().exec(['kill', '-9', String(pid)]);
    },
    async instance(name) {
      const path = `/1.0/instances/${name}`;
      const view = await ask<InstanceView>('GET', path);
      if (view === undefined) return undefined;
      const state = await ask<{ pid: number; memory: { total: number } }>('GET', `${path}/state`);
      if (state === undefined) return undefined;
      const { status, config, devices, last_used_at: startedAt } = view;
      return {
        host,
        name,
        status,
        config,
        devices,
        pid: state.pid,
        memoryBytes: state.memory.total,
        startedAtMs: Date.parse(startedAt),
      };
    },
    setLink: (up) => local().setLink(up),
    cutPower: () => local().stop(),
  };
  return host;
}

async function answerOf(socketPath: string, method: string, path: string, body?: object): Promise<unknown> {
  try {
    return await daemonRequest(socketPath, method, path, body);
  } catch (error) {
    const said = error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
    if (/not found/i.test(said)) return undefined;
    throw error;
  }
}

/** @throws Error with the daemon's own words when the operation failed */
async function finished(socketPath: string, id: string): Promise<never> {
  const done = (await daemonRequest(socketPath, 'GET', `/1.0/operations/${id}/wait?timeout=30`)) as {
    err: string;
    metadata: never;
  };
  if (done.err !== '') throw new Error(done.err);
  return done.metadata;
}

async function findInstance(hosts: readonly ClusterHost[], name: string): Promise<FoundInstance | undefined> {
  const found = await Promise.all(hosts.map((host) => host.instance(name)));
  const [first, ...more] = found.filter((instance) => instance !== undefined);
  if (more.length > 0) {
    throw new Error(`${name} is on ${[first, ...more].map((instance) => instance?.host.name).join(' and ')}`);
  }
  return first;
}

async function getFrom<T>(api: LocalApi, path: string): Promise<T | undefined> {
  const { code, body } = await api.request('GET', path);
  if (code === 404) return undefined;
  if (code !== 200) throw new Error(`GET ${path}: ${code} ${JSON.stringify(body)}`);
  return body as T;
}

async function sendTo(api: LocalApi, method: string, path: string, body?: object): Promise<void> {
  const answer = await api.request(method, path, body === undefined ? {} : { body });
  // A connection that broke just then makes it go out twice.
  const isDone = answer.code < 300 || answer.code === (method === 'POST' ? 409 : 404);
  if (!isDone) throw new Error(`${method} ${path}: ${answer.code} ${JSON.stringify(answer.body)}`);
}

function named<T extends { name: string }>(all: readonly T[], name: string): T {
  const found = all.find((one) => one.name === name);
  if (found === undefined) throw new Error(`There is no host ${name}`);
  return found;
}

function tailOf(path: string, lines: number): string {
  if (!existsSync(path)) return '(no log)';
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
}

async function remove(stateDir: string): Promise<void> {
  await tearDown(stateDir);
  await rm(stateDir, { recursive: true, force: true });
  const leaks = findLeaks(stateDir);
  if (leaks.length > 0) throw new Error(`Left over:\n${leaks.join('\n')}`);
}
