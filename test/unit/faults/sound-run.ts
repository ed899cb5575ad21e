import type { Container } from '../../../src/crds/container.ts';
import { GUARD_ANNOTATION, GUARD_ARMED, type Lease, REVOKED_BY_ANNOTATION } from '../../../src/crds/lease.ts';
import type { Node } from '../../../src/crds/node.ts';
import { RESTARTED_AT_ANNOTATION } from '../../../src/plan/lifecycle/record.ts';
import type { Beat, Call, EventType, Gap, Played, RunRecord, Seen } from '../../faults/record.ts';
import { COUNTER_ANNOTATION } from '../../faults/traffic.ts';

/**
 * The record of a run in which everything went as it should: host-1 is cut off, its lease is taken, and what it ran goes on on
 * host-2. Tests spoil one thing in it.
 */
export interface Run {
  beats: Beat[];
  calls: Call[];
  history: Seen[];
  /** What both watches have seen; a test may give one of them less. */
  watches: { events: Seen[]; gaps: Gap[] }[];
  faults: Played[];
}

export const beat = (host: string, boot: string, atMs: number): Beat => ({ host, boot, count: 0, atMs });
export const at = (atMs: number, revision: number) => ({ atMs, wallMs: atMs, revision });

export interface Placed {
  node: string;
  epoch: number;
  term?: number;
  counter: number;
  restartedAt?: string;
  isLeaving?: true;
}

export function placed({ node, epoch, term = 1, counter, restartedAt, isLeaving }: Placed): Container {
  return {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: 'u',
      generation: 1,
      annotations: {
        [COUNTER_ANNOTATION]: String(counter),
        ...(restartedAt === undefined ? {} : { [RESTARTED_AT_ANNOTATION]: restartedAt }),
      },
      ...(isLeaving === undefined ? {} : { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: { image: 'images:none' },
    status: { nodeName: node, epoch, term, phase: 'Running' },
  };
}

export function lease(
  holder: string,
  renewedMs: number,
  { guard = GUARD_ARMED, term = 1, name = 'host-1' } = {},
): Lease {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name,
      namespace: 'hostler-nodes',
      uid: 'l',
      annotations: {
        [GUARD_ANNOTATION]: guard,
        ...(holder === '' ? { [REVOKED_BY_ANNOTATION]: 'LeaseExpired' } : {}),
      },
    },
    spec: {
      holderIdentity: holder,
      renewTime: new Date(renewedMs).toISOString(),
      leaseDurationSeconds: 5,
      leaseTransitions: term,
    },
  };
}

type Time = ReturnType<typeof at>;

export const containerEvent = (type: EventType, time: Time, object: Container): Seen => ({
  ...time,
  kind: 'Container',
  type,
  key: 'default/web',
  object,
});
export const leaseEvent = (type: EventType, time: Time, object: Lease): Seen => ({
  ...time,
  kind: 'Lease',
  type,
  key: `hostler-nodes/${object.metadata.name}`,
  object,
});
export const nodeEvent = (time: Time, saved: 'True' | 'False'): Seen => {
  const object: Node = {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Node',
    metadata: { name: 'host-2', uid: 'n' },
    spec: {},
    status: {
      conditions: [
        { type: 'DesiredStateSaved', status: saved, reason: 'R', message: '', lastTransitionTime: '' },
      ],
    },
  };
  return { ...time, kind: 'Node', type: 'MODIFIED', key: 'host-2', object };
};

export function soundRun(): Run {
  const events: Seen[] = [
    containerEvent('ADDED', at(0, 1), placed({ node: 'host-1', epoch: 1, counter: 1 })),
    leaseEvent('ADDED', at(0, 2), lease('host-1', 0)),
    leaseEvent('MODIFIED', at(1_000, 3), lease('host-1', 1_000)),
    leaseEvent('MODIFIED', at(9_010, 4), lease('', 1_000)),
    containerEvent('MODIFIED', at(9_020, 5), placed({ node: 'host-2', epoch: 2, counter: 1 })),
    containerEvent('MODIFIED', at(9_400, 6), placed({ node: 'host-2', epoch: 2, counter: 2 })),
  ];
  const call: Call = {
    container: 'web',
    verb: 'patch',
    counter: 2,
    begunMs: 9_300,
    endedMs: 9_390,
    outcome: 'done',
    revision: 6,
  };
  return {
    beats: [
      beat('?', 'a', 100),
      beat('host-1', 'a', 120),
      beat('host-1', 'a', 6_000),
      beat('host-2', 'b', 9_500),
      beat('host-2', 'b', 12_000),
    ],
    history: events,
    watches: [
      { events: [...events], gaps: [] },
      { events: [...events], gaps: [] },
    ],
    calls: [call],
    faults: [{ what: 'cut-link', host: 'host-1', fromMs: 1_100, toMs: 13_000 }],
  };
}

export function recordOf({ beats, ...run }: Run): RunRecord {
  return { beats: new Map([['web', beats]]), ...run };
}
