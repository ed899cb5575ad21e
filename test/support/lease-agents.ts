import { findCondition, setCondition } from '../../src/crds/conditions.ts';
import { NODE_LEASE_NAMESPACE } from '../../src/crds/kind.ts';
import {
  type ConfigMap,
  configMapRef,
  GUARD_ANNOTATION,
  GUARD_ARMED,
  type Lease,
  leaseRef,
  MEMBERS_ANNOTATION,
  REJOIN_ANNOTATION,
  SINCE_REPLY_ANNOTATION,
  TIMING_ANNOTATION,
} from '../../src/crds/lease.ts';
import { type Node, nodeKind } from '../../src/crds/node.ts';
import { defaultTiming, type FailoverTiming } from '../../src/plan/failover/timing.ts';
import type { FakeClock } from './fake-clock.ts';
import type { FakeObjectStore } from './fake-object-store.ts';

/** The lease of a node as its agent would write it next; undefined: there is nothing to write. */
export function nextLease(
  name: string,
  lease: Lease | undefined,
  at: {
    nowMs: number;
    members?: string | undefined;
    timing?: FailoverTiming;
    guard?: boolean;
    sinceReplyMs: number;
  },
): Lease | undefined {
  const { [REJOIN_ANNOTATION]: rejoin, ...annotations } = lease?.metadata.annotations ?? {};
  const timing = at.timing ?? defaultTiming;
  const base = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...lease?.metadata, name, namespace: NODE_LEASE_NAMESPACE },
  };
  if (lease?.spec?.holderIdentity !== name) {
    if (rejoin !== undefined) return undefined;
    const asking = {
      ...annotations,
      [REJOIN_ANNOTATION]: 'yes',
      [TIMING_ANNOTATION]: JSON.stringify(timing),
    };
    const spec = { ...lease?.spec, holderIdentity: '' };
    return { ...base, metadata: { ...base.metadata, annotations: asking }, spec };
  }
  const said: Record<string, string> = {
    ...annotations,
    [SINCE_REPLY_ANNOTATION]: String(Math.floor(at.sinceReplyMs)),
    [TIMING_ANNOTATION]: JSON.stringify(timing),
    [GUARD_ANNOTATION]: (at.guard ?? true) ? GUARD_ARMED : 'no',
    ...(at.members === undefined ? {} : { [MEMBERS_ANNOTATION]: at.members }),
  };
  const renewTime = new Date(at.nowMs).toISOString().replace('Z', '000Z');
  const spec = { ...lease.spec, leaseDurationSeconds: Math.ceil(timing.durationMs / 1_000), renewTime };
  return { ...base, metadata: { ...base.metadata, annotations: said }, spec };
}

/** Agents on a fake clock, which do nothing but keep their leases, and say that they are ready while they hold them. */
export interface LeaseAgents {
  readonly silent: Set<string>;
  readonly unguarded: Set<string>;
  stop(): void;
}

const BEAT_MS = 1_000;

/** Their writes do not count as calls of the store. */
export function startLeaseAgents(
  { clock, store }: { clock: FakeClock; store: FakeObjectStore },
  names: readonly string[],
): LeaseAgents {
  const agents = { silent: new Set<string>(), unguarded: new Set<string>() };
  const beat = (): void => {
    const members = store.all<ConfigMap>(configMapRef)[0]?.data?.['version'];
    for (const name of names) {
      if (agents.silent.has(name)) continue;
      const lease = store.all<Lease>(leaseRef).find(({ metadata }) => metadata.name === name);
      const guard = !agents.unguarded.has(name);
      const next = nextLease(name, lease, { nowMs: clock.nowMs(), members, guard, sinceReplyMs: BEAT_MS });
      if (next !== undefined) store.seed(next);
      if (next?.spec?.holderIdentity === name) sayReady(store, name);
    }
    timer = clock.schedule(BEAT_MS, beat);
  };
  let timer = clock.schedule(0, beat);
  return { ...agents, stop: () => timer.cancel() };
}

function sayReady(store: FakeObjectStore, name: string): void {
  const node = store.all<Node>(nodeKind).find(({ metadata }) => metadata.name === name);
  if (node === undefined || findCondition(node.status?.conditions, 'Ready')?.status === 'True') return;
  const ready = { type: 'Ready', status: 'True', reason: 'AgentReady', message: '' } as const;
  const conditions = setCondition(node.status?.conditions, ready, '2026-01-01T00:00:00Z');
  store.seed({ ...node, status: { ...node.status, conditions } } as Node);
}
