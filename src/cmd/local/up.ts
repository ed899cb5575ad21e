import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Condition, isConditionTrue } from '../../crds/conditions.ts';
import { NODE_LEASE_NAMESPACE } from '../../crds/kind.ts';
import {
  checkLocalOptions,
  hostNames,
  type LocalOptions,
  localPaths,
  localServers,
} from '../../config/local.ts';
import type { ApiAnswer, LocalApi } from './api.ts';
import { SWITCH, type LocalNetwork, openNetwork } from './network.ts';
import { findCompartment, markedEnv } from './compartment.ts';
import type { LocalHost } from './host.ts';
import { takeLock } from './lock.ts';
import {
  AGENT,
  checkPortIsFree,
  ensureAccess,
  ensureAgent,
  ensureHost,
  forwarderOf,
  type LocalCluster,
  logOf,
} from './parts.ts';
import { run } from './process.ts';
import { type Outcome, type Progress, StepError } from './progress.ts';
import { anyServerApi, ensureControlPlane } from './servers.ts';

/** What was asked for at the first `up`, in the state folder. */
export interface ClusterRecord extends LocalOptions {
  /** The pool is made once: whoever deletes it does not get it back. */
  poolCreated: boolean;
}

export interface UpOptions extends LocalCluster {
  /** The command that writes the small image that examples use: scripts/busybox-image. */
  imageScript: string;
  progress: Progress;
}

/**
 * Makes sure that everything of the cluster runs; safe to repeat at any time and after a crash at any point.
 * @returns `unchanged` when there was nothing to do
 */
export async function up(options: UpOptions): Promise<Outcome> {
  const { stateDir, port } = checkLocalOptions(options.options);
  mkdirSync(stateDir, { recursive: true, mode: 0o755 });
  const release = takeLock(localPaths(stateDir).lock);
  try {
    const record = recordOf(options.options);
    if (forwarderOf(stateDir) === undefined) await checkPortIsFree(port);
    return await runSteps(options, record);
  } finally {
    release();
  }
}

/** @returns undefined when there is no cluster in the folder */
export function readRecord(stateDir: string): ClusterRecord | undefined {
  const { options } = localPaths(stateDir);
  if (!existsSync(options)) return undefined;
  // Clusters that were made before there were replicas do not name any.
  const found = JSON.parse(readFileSync(options, 'utf8')) as ClusterRecord;
  return { ...found, replicas: found.replicas ?? 1 };
}

/** The record of the cluster, new or found. @throws Error when it was made with options that cannot be changed */
function recordOf(options: LocalOptions): ClusterRecord {
  const found = readRecord(options.stateDir);
  const record: ClusterRecord = { ...options, poolCreated: found?.poolCreated ?? false };
  if (found !== undefined) {
    const changed = (['runtime', 'port', 'replicas', 'live'] as const).find(
      (name) => (found[name] ?? false) !== (options[name] ?? false),
    );
    if (changed !== undefined) {
      throw new Error(
        `The cluster in ${options.stateDir} has --${changed} ${found[changed] ?? false}: end it first ('hostler down')`,
      );
    }
    if (found.hosts > options.hosts) {
      throw new Error(
        `The cluster in ${options.stateDir} has ${found.hosts} hosts already: none is taken away`,
      );
    }
  }
  writeRecord(record);
  return record;
}

function writeRecord(record: ClusterRecord): void {
  writeFileSync(localPaths(record.stateDir).options, `${JSON.stringify(record, undefined, 2)}\n`);
}

async function runSteps(options: UpOptions, record: ClusterRecord): Promise<Outcome> {
  const { progress } = options;
  const { stateDir, port, hosts: count, replicas } = record;
  const names = hostNames(count);
  const outcomes: Outcome[] = [];
  const step = async (title: string, action: Parameters<Progress['step']>[1]): Promise<void> => {
    outcomes.push(await progress.step(title, action));
  };
  let network: LocalNetwork | undefined;
  let hosts: LocalHost[] = [];

  await step('Image for containers', () => ensureImage(options));
  await step('Network between the hosts', async () => {
    const found = findCompartment(stateDir, SWITCH);
    network = await openNetwork(stateDir);
    return found === undefined ? 'done' : 'unchanged';
  });
  const machines = `${count} hosts with their daemons`;
  await step(replicas === 1 ? `Control plane, and ${machines}` : machines, async (say) => {
    const started = await startMachines(options, network as LocalNetwork, names, say);
    hosts = started.hosts;
    return started.outcome;
  });
  if (replicas > 1) {
    await step(`Control plane on ${replicas} of them`, () =>
      ensureControlPlane(options, network as LocalNetwork),
    );
  }
  const agentsSince = new Map<string, number>();
  await step('Agents', () =>
    all(
      hosts.map(async (host) => {
        const outcome = await ensureAgent(options, host);
        if (outcome === 'done') agentsSince.set(host.name, Date.now());
        return outcome;
      }),
    ),
  );
  await step(`API on https://127.0.0.1:${port}`, () => ensureAccess(options));
  const api = anyServerApi(localServers(record));
  if (!record.poolCreated) {
    await step('Storage pool default', async () => {
      await createDefaultPool(api);
      writeRecord({ ...record, poolCreated: true });
      return 'done';
    });
  }
  await step(`All ${count} hosts are Ready`, async (say) => {
    await untilHostsReady(api, options, { names, agentsSince, say });
    return outcomes.includes('done') ? 'done' : 'unchanged';
  });
  return outcomes.includes('done') ? 'done' : 'unchanged';
}

async function ensureImage({ options: { stateDir }, imageScript }: UpOptions): Promise<Outcome> {
  const { image } = localPaths(stateDir);
  if (existsSync(image)) return 'unchanged';
  await run([imageScript, image], { env: markedEnv(stateDir, 'image') });
  return 'done';
}

async function startMachines(
  cluster: LocalCluster,
  network: LocalNetwork,
  names: readonly string[],
  say: (detail: string) => void,
): Promise<{ hosts: LocalHost[]; outcome: Outcome }> {
  const hosts: LocalHost[] = [];
  const outcome = await all([
    // One that runs on the hosts comes after them.
    ...(cluster.options.replicas === 1 ? [ensureControlPlane(cluster, network)] : []),
    ...names.map(async (name) => {
      const started = await ensureHost(cluster, network, name);
      hosts.push(started.host);
      say(`${hosts.length} of ${names.length} daemons are ready`);
      return started.outcome;
    }),
  ]);
  return { hosts, outcome };
}

/** Waits for all, so that nothing goes on behind the back of a step that failed; rejects with the first failure. */
async function all(tasks: readonly Promise<Outcome>[]): Promise<Outcome> {
  const settled = await Promise.allSettled(tasks);
  const failed = settled.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return settled.some((result) => result.status === 'fulfilled' && result.value === 'done')
    ? 'done'
    : 'unchanged';
}

const API = '/apis/hostler.dev/v1alpha1';

async function createDefaultPool(api: LocalApi): Promise<void> {
  const pool = {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'StoragePool',
    metadata: { name: 'default' },
    spec: { driver: 'dir' },
  };
  const { code, body } = await api.request('POST', `${API}/storagepools`, { body: pool });
  if (code !== 201 && code !== 409) {
    throw new Error(`Cannot create storage pool default: ${(body as { message?: string }).message ?? code}`);
  }
}

interface ReadyOptions {
  names: readonly string[];
  /** When the agents that this `up` started were started: what the API says of their hosts may be older. */
  agentsSince: ReadonlyMap<string, number>;
  say: (detail: string) => void;
}

async function untilHostsReady(
  api: LocalApi,
  { options: { stateDir } }: LocalCluster,
  { names, agentsSince, say }: ReadyOptions,
): Promise<void> {
  const deadline = performance.now() + 60_000;
  let fault: unknown;
  for (;;) {
    // On a machine that is short of time one answer of the API server may be late.
    const unready = await unreadyHosts(api, names, agentsSince).catch((error: unknown) => {
      fault = error;
      return undefined;
    });
    if (unready?.length === 0) return;
    const waiting = unready ?? names;
    say(`waiting for ${waiting.join(', ')}`);
    for (const name of waiting) {
      if (findCompartment(stateDir, name)?.part(AGENT) === undefined) {
        throw new StepError(`The agent of ${name} has ended`, logOf(stateDir, `${name}-${AGENT}`), undefined);
      }
    }
    if (performance.now() > deadline) {
      const [name = ''] = waiting;
      throw new StepError(
        `${waiting.join(', ')}: not Ready after 60 s`,
        logOf(stateDir, `${name}-${AGENT}`),
        fault,
      );
    }
    await delay(100);
  }
}

interface Listed {
  items: {
    metadata: { name: string };
    spec?: { renewTime?: string };
    status?: { conditions?: Condition[]; nodes?: Record<string, { ready: boolean }> };
  }[];
}

const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${NODE_LEASE_NAMESPACE}/leases`;

/** Hosts whose node is not Ready, whose guard is not armed, whose agent has not renewed its lease yet, or that lack the default pool (if there is one). */
async function unreadyHosts(
  api: LocalApi,
  names: readonly string[],
  agentsSince: ReadonlyMap<string, number>,
): Promise<string[]> {
  const paths = [`${API}/nodes`, `${API}/storagepools`, LEASES];
  const [nodes, pools, leases] = await Promise.all(
    paths.map(async (path) => itemsOf(await api.request('GET', path))),
  );
  const pool = pools?.find(({ metadata }) => metadata.name === 'default');
  return names.filter((name) => {
    const named = ({ metadata }: Listed['items'][number]): boolean => metadata.name === name;
    const renewedMs = Date.parse(leases?.find(named)?.spec?.renewTime ?? '');
    const isFresh = !agentsSince.has(name) || renewedMs >= (agentsSince.get(name) ?? 0);
    const hasPool = pool === undefined || pool.status?.nodes?.[name]?.ready === true;
    const conditions = nodes?.find(named)?.status?.conditions;
    const isWell = isConditionTrue(conditions, 'Ready') && isConditionTrue(conditions, 'GuardArmed');
    return !isFresh || !hasPool || !isWell;
  });
}

function itemsOf({ code, body }: ApiAnswer): Listed['items'] {
  if (code !== 200) throw new Error((body as { message?: string }).message ?? `the API server says ${code}`);
  return (body as Listed).items;
}
