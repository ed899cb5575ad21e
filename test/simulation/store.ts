import type { Node } from '../../src/crds/node.ts';
import type { LeaseRecord } from '../../src/plan/failover/lease-record.ts';
import type { MemberList } from '../../src/plan/failover/membership.ts';
import { defaultTiming } from '../../src/plan/failover/timing.ts';
import type { Endpoint, Network } from './network.ts';

export interface ContainerRecord {
  key: string;
  nodeName: string;
  term: number;
  epoch: number;
  revision: number;
}

export interface NodeRecord {
  /** undefined: it was deleted. */
  node: Node | undefined;
  revision: number;
}

export interface MembersRecord {
  list: MemberList | undefined;
  revision: number;
}

/** What a process sees of the watches. */
export interface Watcher {
  onLease?(lease: LeaseRecord): void;
  onContainer?(container: ContainerRecord): void;
  onNode?(name: string, node: NodeRecord): void;
  onMembers?(members: MembersRecord): void;
}

/** The API with etcd below it: linearizable, with conditional writes and watches. */
export interface Store {
  revision(): number;
  lease(node: string): LeaseRecord;
  container(key: string): ContainerRecord;
  node(name: string): NodeRecord;
  members(): MembersRecord;
  /** Each write succeeds only on the revision that it expects; undefined: it was refused. */
  writeLease(node: string, expected: number, change: Partial<LeaseRecord>): LeaseRecord | undefined;
  writeContainer(
    key: string,
    expected: number,
    change: Partial<ContainerRecord>,
  ): ContainerRecord | undefined;
  writeNode(name: string, expected: number, node: Node | undefined): NodeRecord | undefined;
  writeMembers(expected: number, list: MemberList): MembersRecord | undefined;
  watch(who: Endpoint, watcher: Watcher): void;
  leases: ReadonlyMap<string, LeaseRecord>;
  containers: ReadonlyMap<string, ContainerRecord>;
  nodes: ReadonlyMap<string, NodeRecord>;
}

export const noLease: LeaseRecord = {
  node: '',
  resourceVersion: '',
  revision: 0,
  holder: '',
  term: 0,
  renewal: 0,
  sinceReplyMs: 0,
  rejoinAsked: false,
  timing: defaultTiming,
  timingFault: undefined,
  isGuarded: false,
  uses: undefined,
  revokedBy: undefined,
  losses: [],
};
const noContainer: ContainerRecord = { key: '', nodeName: '', term: 0, epoch: 0, revision: 0 };
const noNode: NodeRecord = { node: undefined, revision: 0 };

export function createStore(network: Network): Store {
  const leases = new Map<string, LeaseRecord>();
  const containers = new Map<string, ContainerRecord>();
  const nodes = new Map<string, NodeRecord>();
  const watchers: { who: Endpoint; watcher: Watcher }[] = [];
  let members: MembersRecord = { list: undefined, revision: 0 };
  let revision = 1;

  return {
    leases,
    containers,
    nodes,
    revision: () => revision,
    lease: (node) => leases.get(node) ?? noLease,
    container: (key) => containers.get(key) ?? noContainer,
    node: (name) => nodes.get(name) ?? noNode,
    members: () => members,
    writeLease(node, expected, change) {
      const old = leases.get(node) ?? noLease;
      if (old.revision !== expected) return undefined;
      const next: LeaseRecord = { ...old, ...change, node, revision: ++revision };
      leases.set(node, next);
      for (const { who, watcher } of watchers) {
        if (watcher.onLease !== undefined) network.show(who, 'leases', () => watcher.onLease?.(next));
      }
      return next;
    },
    writeContainer(key, expected, change) {
      const old = containers.get(key) ?? noContainer;
      if (old.revision !== expected) return undefined;
      const next: ContainerRecord = { ...old, ...change, key, revision: ++revision };
      containers.set(key, next);
      for (const { who, watcher } of watchers) {
        if (watcher.onContainer !== undefined)
          network.show(who, 'containers', () => watcher.onContainer?.(next));
      }
      return next;
    },
    writeNode(name, expected, node) {
      if ((nodes.get(name) ?? noNode).revision !== expected) return undefined;
      const next: NodeRecord = { node, revision: ++revision };
      nodes.set(name, next);
      for (const { who, watcher } of watchers) {
        if (watcher.onNode !== undefined) network.show(who, 'nodes', () => watcher.onNode?.(name, next));
      }
      return next;
    },
    writeMembers(expected, list) {
      if (members.revision !== expected) return undefined;
      const next: MembersRecord = { list, revision: ++revision };
      members = next;
      for (const { who, watcher } of watchers) {
        if (watcher.onMembers !== undefined) network.show(who, 'members', () => watcher.onMembers?.(next));
      }
      return next;
    },
    watch: (who, watcher) => void watchers.push({ who, watcher }),
  };
}
