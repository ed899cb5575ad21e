import { type LeaseFacts, type PlacedContainer, planRecovery } from '../../src/plan/failover/recovery.ts';
import { LeaderView } from '../../src/plan/failover/takeover.ts';
import type { FailoverTiming } from '../../src/plan/failover/timing.ts';
import { type Network, STORE } from './network.ts';
import type { Breakage } from './node-actor.ts';
import { leaderName } from './schedule.ts';
import type { ContainerRecord, LeaseRecord, Store } from './store.ts';
import type { World } from './world.ts';

interface Deps {
  name: string;
  members: readonly string[];
  world: World;
  network: Network;
  store: Store;
  timing: FailoverTiming;
  breakage: Breakage;
}

const TICK_MS = 300;

/**
 * A controller that believes that it leads, all the time: in the simulation there are several of them at once, since
 * nothing in the protocol may depend on there being one.
 */
export function createLeaderActor(deps: Deps): void {
  const { name, members, world, network, store, breakage } = deps;
  const timing = breakage.skipFenceDelay === true ? { ...deps.timing, fenceDelayMs: 0 } : deps.timing;
  const rate = world.between(0.99, 1.01);
  const localNow = (): number => world.now * rate + 5_000_000;

  const leases = new Map<string, LeaseRecord>();
  const containers = new Map<string, ContainerRecord>();
  const busy = new Set<string>();
  let view: LeaderView;
  let life = 0;

  const isUp = (): boolean => network.isActive('kill', name) === undefined;
  const awake = (run: () => void): (() => void) => {
    const born = life;
    return () =>
      network.whenAwake(name, () => {
        if (born === life && isUp()) run();
      });
  };

  const onLease = (node: string, lease: LeaseRecord): void => {
    if (!isUp() || (leases.get(node)?.revision ?? 0) >= lease.revision) return;
    leases.set(node, lease);
    view.onLease(node, lease, localNow());
  };
  const onContainer = (key: string, container: ContainerRecord): void => {
    if (isUp() && (containers.get(key)?.revision ?? 0) < container.revision) containers.set(key, container);
  };

  /** One write or read about `about` at a time; forgotten after a while, since the answer may never come. */
  const call = <T>(about: string, ask: () => T, answered: (reply: T) => void): void => {
    if (busy.has(about)) return;
    busy.add(about);
    world.at(world.now + 2_000, () => busy.delete(about));
    let reply: T | undefined;
    const heard = awake(() => {
      busy.delete(about);
      answered(reply as T);
    });
    network.send(name, STORE, () => {
      reply = ask();
      network.send(STORE, name, heard);
    });
  };

  const probe = (): void => {
    const sentMs = localNow();
    let revision = 0;
    const heard = awake(() => view.onProbe(sentMs, revision));
    network.send(name, STORE, () => {
      revision = store.revision();
      network.send(STORE, name, heard);
    });
  };

  const consider = (node: string): void => {
    const verdict = view.verdict(node, localNow());
    if (verdict.state !== 'Revocable' && !(breakage.skipBrake === true && verdict.state === 'Braked')) return;
    const revision = leases.get(node)?.revision ?? 0;
    call(
      `lease ${node}`,
      () => store.lease(node),
      (fresh) => {
        onLease(node, fresh);
        const again = view.verdict(node, localNow());
        const stands =
          again.state === 'Revocable' || (breakage.skipBrake === true && again.state === 'Braked');
        if (fresh.revision !== revision || !stands) return undefined;
        return revoke(node, revision);
      },
    );
  };

  const revoke = (node: string, revision: number): void => {
    world.log(name, `revokes the lease of ${node}`);
    call(
      `revoke ${node}`,
      () => {
        const expected = breakage.revokeUnconditionally === true ? store.lease(node).revision : revision;
        return store.writeLease(node, expected, { holder: '', rejoinAsked: false });
      },
      (written) => {
        if (written !== undefined) onLease(node, written);
      },
    );
  };

  const placedOn = (node: string): PlacedContainer[] => {
    const placed: PlacedContainer[] = [];
    for (const [key, { nodeName, term }] of containers) {
      if (nodeName === node) placed.push({ key, nodeName, term });
    }
    return placed;
  };

  const recover = (lease: LeaseFacts & LeaseRecord): void => {
    const placed = placedOn(lease.node);
    if (lease.holder !== '' && placed.every(({ term }) => term >= lease.term)) return;
    const target = members.find(
      (node) => node !== lease.node && view.verdict(node, localNow()).state === 'Live',
    );
    // Two leaders need not see the same room: for the first one, nothing ever fits c0.
    const targetFor = ({ key }: PlacedContainer) =>
      key === 'c0' && name === leaderName(0) ? undefined : target;
    for (const step of planRecovery(lease, placed, targetFor)) {
      if (step.do === 'grant') {
        const grant = { holder: lease.node, term: step.term, rejoinAsked: false };
        call(
          `lease ${lease.node}`,
          () => store.writeLease(lease.node, lease.revision, grant),
          (written) => written !== undefined && onLease(lease.node, written),
        );
        continue;
      }
      const seen = containers.get(step.key) as ContainerRecord;
      const change =
        step.do === 'reaffirm'
          ? { term: step.term }
          : { nodeName: step.target, term: leases.get(step.target)?.term ?? 0, epoch: seen.epoch + 1 };
      if (step.do === 'move') world.log(name, `moves ${step.key} from ${lease.node} to ${step.target}`);
      call(
        step.key,
        () => store.writeContainer(step.key, seen.revision, change),
        (written) => written !== undefined && onContainer(step.key, written),
      );
    }
  };

  const tick = (): void => {
    probe();
    for (const node of members) {
      consider(node);
      const lease = leases.get(node);
      if (lease !== undefined) recover({ ...lease, node });
    }
    world.at(world.now + TICK_MS * world.between(0.8, 1.2), awake(tick));
  };

  const start = (): void => {
    life++;
    leases.clear();
    containers.clear();
    view = new LeaderView(localNow(), members, timing);
    for (const [node, lease] of store.leases) onLease(node, lease);
    for (const [key, container] of store.containers) onContainer(key, container);
    tick();
  };

  view = new LeaderView(localNow(), members, timing);
  world.at(0, start);
  store.watchLeases(name, onLease);
  store.watchContainers(name, onContainer);
  for (const fault of network.faultsOf(name)) {
    const spanMs = Math.round(fault.until - fault.from);
    if (fault.kind === 'pause') world.at(fault.from, () => world.log(name, `frozen for ${spanMs} ms`));
    if (fault.kind === 'kill') world.at(fault.until + 0.001, () => isUp() && start());
  }
}
