import type { Network } from './network.ts';
import type { World } from './world.ts';

export interface LeaseRecord {
  holder: string;
  term: number;
  rejoinAsked: boolean;
  sinceReplyMs: number;
  renewal: number;
  revision: number;
}

export interface ContainerRecord {
  nodeName: string;
  term: number;
  epoch: number;
  revision: number;
}

/** The API with etcd below it: linearizable, with conditional writes and watches. */
export interface Store {
  revision(): number;
  lease(node: string): LeaseRecord;
  container(key: string): ContainerRecord;
  writeLease(node: string, expected: number, change: Partial<LeaseRecord>): LeaseRecord | undefined;
  writeContainer(
    key: string,
    expected: number,
    change: Partial<ContainerRecord>,
  ): ContainerRecord | undefined;
  watchLeases(who: string, on: (node: string, lease: LeaseRecord) => void): void;
  watchContainers(who: string, on: (key: string, container: ContainerRecord) => void): void;
  leases: ReadonlyMap<string, LeaseRecord>;
  containers: ReadonlyMap<string, ContainerRecord>;
}

export function createStore(world: World, network: Network): Store {
  const leases = new Map<string, LeaseRecord>();
  const containers = new Map<string, ContainerRecord>();
  const leaseWatchers: { who: string; on: (node: string, lease: LeaseRecord) => void }[] = [];
  const containerWatchers: { who: string; on: (key: string, container: ContainerRecord) => void }[] = [];
  let revision = 1;

  const noLease: LeaseRecord = {
    holder: '',
    term: 0,
    rejoinAsked: false,
    sinceReplyMs: 0,
    renewal: 0,
    revision: 0,
  };
  const noContainer: ContainerRecord = { nodeName: '', term: 0, epoch: 0, revision: 0 };
  const lease = (node: string): LeaseRecord => leases.get(node) ?? noLease;
  const container = (key: string): ContainerRecord => containers.get(key) ?? noContainer;

  return {
    leases,
    containers,
    revision: () => revision,
    lease,
    container,
    writeLease(node, expected, change) {
      const old = lease(node);
      if (old.revision !== expected) return undefined;
      const next = { ...old, ...change, revision: ++revision };
      leases.set(node, next);
      for (const { who, on } of leaseWatchers) {
        world.at(network.watchDelivery(who, 'leases'), () => network.whenAwake(who, () => on(node, next)));
      }
      return next;
    },
    writeContainer(key, expected, change) {
      const old = container(key);
      if (old.revision !== expected) return undefined;
      const next = { ...old, ...change, revision: ++revision };
      containers.set(key, next);
      for (const { who, on } of containerWatchers) {
        world.at(network.watchDelivery(who, 'containers'), () => network.whenAwake(who, () => on(key, next)));
      }
      return next;
    },
    watchLeases: (who, on) => leaseWatchers.push({ who, on }),
    watchContainers: (who, on) => containerWatchers.push({ who, on }),
  };
}
