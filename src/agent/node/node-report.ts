import { type Condition, type ConditionUpdate, findCondition, setCondition } from '../../crds/conditions.ts';
import type { Node, NodePool, NodeStatus } from '../../crds/node.ts';
import { bytesOf, formatBytes, milliCpu } from '../../crds/quantity.ts';
import type { HostFacts, HostImage, HostPool } from '../../ports/host-driver.ts';
import type { TransferFacts } from '../../ports/host-transfer.ts';
import { poolUsage } from '../pools/usage.ts';
import type { CertificateVerdict } from '../certificate/renewal.ts';
import type { SavingVerdict } from '../state/saving-report.ts';

/** What the agent knows of its host at one moment. */
export interface HostReport {
  agentVersion: string;
  /** Absent: the daemon does not answer; what the status says of the host then stays. */
  host?: {
    facts: HostFacts;
    pools: readonly HostPool[];
    images: readonly HostImage[];
    transfers: TransferFacts;
  };
  /** Why the daemon does not answer. */
  fault?: string;
  /** By name; see PoolSync.results. Absent: not known yet. */
  pools?: ReadonlyMap<string, NodePool | undefined>;
  /** Why the API is not trusted. */
  distrust?: { reason: string; message: string };
  /** Whether the node lease is held: only then is `Ready` ours to say. */
  isLeaseHeld: boolean;
  /** Absent: not known yet. */
  isGuardArmed?: boolean;
  /** Whether the desired state is on the disk. Absent: not known yet. */
  saving?: SavingVerdict;
  /** Whether its certificate is renewed in time. Absent: not known yet. */
  certificate?: CertificateVerdict;
  /** Absent: not known yet. */
  lease?: NodeStatus['lease'];
  /** Absent: the other agents cannot reach this one. */
  agentPort?: number;
  /** RFC 3339 */
  now: string;
}

/** The status that the agent writes. Apart from times the same report gives the same status. */
export function nodeStatus(node: Node, report: HostReport): NodeStatus {
  const { agentPort: _port, ...old } = node.status ?? {};
  const { generation } = node.metadata;
  const pools = poolEntries(old.pools ?? [], report);
  const conditions = conditionsOf(node, report);
  return {
    ...old,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...(report.host === undefined ? {} : hostPart(node, report.host, report.agentVersion)),
    ...(pools.length === 0 && old.pools === undefined ? {} : { pools }),
    ...portPart(report),
    ...(report.lease === undefined ? {} : { lease: report.lease }),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

function hostPart(
  node: Node,
  { facts, images, transfers }: NonNullable<HostReport['host']>,
  agentVersion: string,
): Partial<NodeStatus> {
  const { reserved } = node.spec;
  const cpu = facts.cpuCount * 1_000;
  const addresses = facts.addresses.map((address) => ({ type: 'InternalIP' as const, address }));
  return {
    capacity: { cpu: formatCpu(cpu), memory: formatBytes(facts.memoryBytes) },
    allocatable: {
      cpu: formatCpu(Math.max(0, cpu - milliCpu(reserved?.cpu))),
      memory: formatBytes(Math.max(0, facts.memoryBytes - bytesOf(reserved?.memory))),
    },
    addresses: [...addresses, { type: 'Hostname', address: facts.hostname }],
    nodeInfo: {
      runtime: facts.runtime,
      runtimeVersion: facts.runtimeVersion,
      kernelVersion: facts.kernelVersion,
      operatingSystem: facts.operatingSystem,
      architecture: facts.architecture,
      agentVersion,
    },
    migration: migrationPart(transfers),
    images: images.map(({ reference, fingerprint }) => ({ reference, fingerprint })).sort(byReference),
  };
}

function migrationPart({ live, address, certificate }: TransferFacts): NonNullable<NodeStatus['migration']> {
  return {
    live: live.possible,
    reason: live.possible ? 'Capable' : live.reason,
    message: live.message,
    ...(address === undefined ? {} : { address }),
    certificate,
  };
}

/** Entries of pools that were not looked at yet stay as they are: the agent has only just started. */
function poolEntries(old: readonly NodePool[], { pools, host }: HostReport): NodePool[] {
  if (pools === undefined) return [...old];
  const entries: NodePool[] = [];
  for (const [name, entry] of pools) {
    if (entry === undefined) continue;
    const before = old.find((candidate) => candidate.name === name && candidate.poolUid === entry.poolUid);
    const seen = host?.pools.find((candidate) => candidate.name === name);
    const isOurs = seen !== undefined && seen.uid === entry.poolUid;
    entries.push({
      ...entry,
      ...(isOurs ? poolUsage(seen, before) : sizeOf(host === undefined ? before : undefined)),
    });
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function sizeOf(entry: NodePool | undefined): Pick<NodePool, 'total' | 'used'> {
  return {
    ...(entry?.total === undefined ? {} : { total: entry.total }),
    ...(entry?.used === undefined ? {} : { used: entry.used }),
  };
}

function portPart({ agentPort }: HostReport): Pick<NodeStatus, 'agentPort'> {
  return agentPort === undefined ? {} : { agentPort };
}

function conditionsOf({ metadata, status }: Node, report: HostReport): Condition[] {
  const { generation } = metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const { isLeaseHeld, isGuardArmed, now } = report;
  let conditions: Condition[] = status?.conditions ?? [];
  if (isLeaseHeld) conditions = setCondition(conditions, { ...readyCondition(report), ...observed }, now);
  if (isGuardArmed !== undefined)
    conditions = setCondition(conditions, { ...guardCondition(isGuardArmed), ...observed }, now);
  for (const update of [savingCondition(conditions, report), certificateCondition(conditions, report)]) {
    if (update !== undefined) conditions = setCondition(conditions, { ...update, ...observed }, now);
  }
  return conditions;
}

/** Absent as long as it was always renewed in time. */
function certificateCondition(
  conditions: Condition[],
  { certificate }: HostReport,
): ConditionUpdate | undefined {
  const type = 'CertificateCurrent';
  if (certificate?.fault !== undefined)
    return { type, status: 'False', reason: 'EndsSoon', message: certificate.fault };
  if (certificate === undefined || findCondition(conditions, type) === undefined) return undefined;
  return {
    type,
    status: 'True',
    reason: 'Renewed',
    message: 'The certificate of the agent is renewed in time',
  };
}

/** Absent as long as no write was ever refused. */
function savingCondition(conditions: Condition[], { saving }: HostReport): ConditionUpdate | undefined {
  const type = 'DesiredStateSaved';
  if (saving?.fault !== undefined)
    return { type, status: 'False', reason: 'NotSaved', message: saving.fault };
  if (saving === undefined || findCondition(conditions, type) === undefined) return undefined;
  return {
    type,
    status: 'True',
    reason: 'Saved',
    message: 'What the agent must know to start without the API is on the disk',
  };
}

function readyCondition({ host, fault, distrust }: HostReport): ConditionUpdate {
  if (distrust !== undefined) return { type: 'Ready', status: 'False', ...distrust };
  return host === undefined
    ? { type: 'Ready', status: 'False', reason: 'RuntimeUnavailable', message: fault ?? '' }
    : { type: 'Ready', status: 'True', reason: 'AgentReady', message: 'The agent and its daemon answer' };
}

/** Unless it is armed the host is not fenced by time. */
export function guardCondition(isArmed: boolean): ConditionUpdate {
  return isArmed
    ? {
        type: 'GuardArmed',
        status: 'True',
        reason: 'Armed',
        message: 'What may be recovered elsewhere stops when the lease of the node ends',
      }
    : {
        type: 'GuardArmed',
        status: 'False',
        reason: 'NoGuard',
        message: 'Nothing stops the containers when the lease of the node ends',
      };
}

function formatCpu(milli: number): string {
  return milli % 1_000 === 0 ? String(milli / 1_000) : `${milli}m`;
}

function byReference(a: { reference: string }, b: { reference: string }): number {
  return a.reference < b.reference ? -1 : 1;
}
