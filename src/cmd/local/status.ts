import { readFileSync } from 'node:fs';
import { hostNames, type LocalServer, localPaths, localServers } from '../../config/local.ts';
import { type Compartment, findCompartment } from './compartment.ts';
import { DAEMON } from './daemon.ts';
import { networkOf, SWITCH } from './network.ts';
import { AGENT, forwarderOf, guardOf } from './parts.ts';
import { childrenOf, identityOf, type ProcessIdentity, readOrEmpty } from './process.ts';
import { isServerReady, SERVER } from './servers.ts';
import { type ClusterRecord, readRecord } from './up.ts';

/** One line of `hostler status`. */
export interface PartStatus {
  part: string;
  healthy: boolean;
  /** `running`, `down`, `not ready`, `link down`. */
  state: string;
  pid?: number;
  startedAt?: string;
  memoryBytes?: number;
}

export interface LocalStatus {
  stateDir: string;
  kubeconfig: string;
  healthy: boolean;
  parts: PartStatus[];
}

/** @returns undefined when there is no cluster in the folder */
export async function localStatus(stateDir: string): Promise<LocalStatus | undefined> {
  const record = readRecord(stateDir);
  if (record === undefined) return undefined;
  const parts = [...(await controlPlaneParts(record)), ...(await hostParts(record))];
  return {
    stateDir,
    kubeconfig: localPaths(stateDir).kubeconfig,
    healthy: parts.every(({ healthy }) => healthy),
    parts,
  };
}

async function controlPlaneParts(record: ClusterRecord): Promise<PartStatus[]> {
  const servers = await Promise.all(
    localServers(record).map((server) => serverParts(record.stateDir, server)),
  );
  return [...servers.flat(), processStatus('forward', forwarderOf(record.stateDir))];
}

async function serverParts(stateDir: string, server: LocalServer): Promise<PartStatus[]> {
  const process = findCompartment(stateDir, server.compartment)?.part(SERVER);
  const etcd = process === undefined ? undefined : childOf(process, 'etcd');
  const of = server.host === undefined ? '' : `${server.host} `;
  const status = processStatus(`${of}server`, process);
  if (process !== undefined && !(await answers(server))) {
    Object.assign(status, { healthy: false, state: 'not ready' });
  }
  return [processStatus(`${of}etcd`, etcd), status];
}

async function answers(server: LocalServer): Promise<boolean> {
  try {
    return await isServerReady(server);
  } catch {
    // Whatever the reason is, the part is not ready; its log has it.
    return false;
  }
}

async function hostParts({ stateDir, hosts }: ClusterRecord): Promise<PartStatus[]> {
  const bridge = findCompartment(stateDir, SWITCH);
  const all = hostNames(hosts).map(async (name) => {
    const compartment = findCompartment(stateDir, name);
    return [
      processStatus(`${name} daemon`, compartment?.part(DAEMON)),
      processStatus(`${name} agent`, compartment?.part(AGENT)),
      processStatus(`${name} guard`, compartment === undefined ? undefined : guardOf(compartment)),
      await linkStatus(bridge, name),
    ];
  });
  return (await Promise.all(all)).flat();
}

async function linkStatus(bridge: Compartment | undefined, name: string): Promise<PartStatus> {
  const up = bridge !== undefined && (await networkOf(bridge).isLinkUp(name));
  return { part: `${name} link`, healthy: up, state: up ? 'up' : 'down' };
}

function processStatus(part: string, identity: ProcessIdentity | undefined): PartStatus {
  if (identity === undefined) return { part, healthy: false, state: 'down' };
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${identity.pid}/status`))?.[1];
  return {
    part,
    healthy: true,
    state: 'running',
    pid: identity.pid,
    startedAt: new Date(startTimeMs(identity)).toISOString(),
    ...(resident === undefined ? {} : { memoryBytes: Number(resident) * 1024 }),
  };
}

/** Start times in /proc are in ticks since boot, of which every Linux that Node runs on has 100 a second. */
function startTimeMs({ startTicks }: ProcessIdentity): number {
  const bootSeconds = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0);
  return bootSeconds * 1000 + startTicks * 10;
}

function childOf(parent: ProcessIdentity, command: string): ProcessIdentity | undefined {
  return childrenOf(parent.pid)
    .filter((pid) => readOrEmpty(`/proc/${pid}/comm`).trim() === command)
    .map(identityOf)
    .find((identity) => identity !== undefined);
}

/** The table that people see. @param nowMs wall clock */
export function formatStatus({ parts, stateDir, kubeconfig, healthy }: LocalStatus, nowMs: number): string {
  const rows = parts.map(({ part, state, pid, startedAt, memoryBytes }) => [
    part,
    state,
    pid === undefined ? '' : String(pid),
    startedAt === undefined ? '' : formatAge(nowMs - Date.parse(startedAt)),
    memoryBytes === undefined ? '' : `${Math.round(memoryBytes / 2 ** 20)} MiB`,
  ]);
  const table = [['PART', 'STATE', 'PID', 'UP', 'MEMORY'], ...rows];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd(),
  );
  const advice = healthy
    ? `export KUBECONFIG=${kubeconfig}`
    : `Something is down: 'hostler up' starts it again; logs are in ${localPaths(stateDir).logs}`;
  return `${lines.join('\n')}\n\n${advice}\n`;
}

/** As kubectl words it: 42s, 5m, 3h, 2d. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
