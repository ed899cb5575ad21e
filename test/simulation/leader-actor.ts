import type { LeaseRecord } from '../../src/plan/failover/lease-record.ts';
import { planMembers } from '../../src/plan/failover/membership.ts';
import { type PlacedContainer, planRecovery } from '../../src/plan/failover/recovery.ts';
import { operatorOf, type Standing, standingOf } from '../../src/plan/failover/standing.ts';
import { LeaderView } from '../../src/plan/failover/takeover.ts';
import { defaultTiming } from '../../src/plan/failover/timing.ts';
import type { Endpoint, Network } from './network.ts';
import { withoutWord } from './objects.ts';
import { leaderName } from './schedule.ts';
import type { ContainerRecord, MembersRecord, NodeRecord, Store } from './store.ts';
import type { World } from './world.ts';

export interface LeaderActor {
  readonly endpoint: Endpoint;
  kill(): void;
  restart(): void;
}

interface Deps {
  name: string;
  world: World;
  network: Network;
  store: Store;
  /** Spec.fencing of a node: tells, some time, whether the host was switched off. */
  useDevice: (node: string, told: (confirmed: boolean) => void) => void;
}

const TICK_MS = 300;
const FORGET_MS = 2_000;
/** Longer than a device takes. */
const FENCE_MS = 12_000;

/**
 * A controller that believes that it leads, all the time: in the simulation there are several of them at once, since
 * nothing in the protocol may depend on there being one. What it decides is src/plan/failover's; the order of its reads and
 * writes is that of src/controllers/failover.
 */
export function createLeaderActor({ name, world, network, store, useDevice }: Deps): LeaderActor {
  const me = network.endpoint(name);
  const rate = world.between(0.99, 1.01);
  const localNow = (): number => world.now * rate + 5_000_000;

  const leases = new Map<string, LeaseRecord>();
  const containers = new Map<string, ContainerRecord>();
  const nodes = new Map<string, NodeRecord>();
  /** The last renewal at the time when an operator's word was first seen. */
  const renewals = new Map<string, string | number>();
  const busy = new Map<string, number>();
  let members: MembersRecord = { list: undefined, revision: 0 };
  let view = new LeaderView(0, [], defaultTiming);
  let sinceMs = 0;
  let life = 0;
  /** Whether something that the list of members follows from has changed since it was looked at. */
  let isListOpen = true;

  const isUp = (): boolean => me.killed === 0;
  const awake = (run: () => void): (() => void) => {
    const born = life;
    return () =>
      network.whenAwake(me, () => {
        if (born === life && isUp()) run();
      });
  };

  const onLease = (lease: LeaseRecord): void => {
    if (!isUp() || (leases.get(lease.node)?.revision ?? 0) >= lease.revision) return;
    const before = leases.get(lease.node);
    if (before?.uses !== lease.uses || before?.holder !== lease.holder) isListOpen = true;
    leases.set(lease.node, lease);
    view.onLease(lease.node, lease, localNow());
  };
  const onContainer = (container: ContainerRecord): void => {
    if (isUp() && (containers.get(container.key)?.revision ?? 0) < container.revision)
      containers.set(container.key, container);
  };
  const onNode = (node: string, record: NodeRecord): void => {
    if (!isUp() || (nodes.get(node)?.revision ?? 0) >= record.revision) return;
    nodes.set(node, record);
    isListOpen = true;
  };
  const onMembers = (next: MembersRecord): void => {
    if (!isUp() || next.revision <= members.revision) return;
    members = next;
    isListOpen = true;
    view.setMembers(next.list?.members ?? [], localNow());
  };

  /** There and back again; the answer may never come. */
  const call = <T>(ask: () => T, answered: (reply: T) => void): void => {
    let reply: T;
    const heard = awake(() => answered(reply));
    network.send(me, undefined, () => {
      reply = ask();
      network.send(undefined, me, heard);
    });
  };
  /** One thing about `about` at a time; forgotten after a while. */
  const alone = (about: string, forMs: number, run: (done: () => void) => void): void => {
    if (world.now < (busy.get(about) ?? 0)) return;
    const untilMs = world.now + forMs;
    busy.set(about, untilMs);
    run(() => {
      if (busy.get(about) === untilMs) busy.delete(about);
    });
  };

  const probe = (): void => {
    const sentMs = localNow();
    call(
      () => store.revision(),
      (revision) => view.onProbe(sentMs, revision),
    );
  };

  const standing = (name_: string, node: NodeRecord | undefined): Standing => {
    const nowMs = localNow();
    return standingOf({
      node: node?.node,
      lease: leases.get(name_),
      verdict: view.verdict(name_, nowMs),
      sight: view.sight(name_),
      members: members.list,
      nowMs,
      sinceMs,
    });
  };

  /** Node and lease are read afresh, before and after the device was used, and the lease is revoked as it was read. */
  const fence = (node: string): void =>
    alone(`fence ${node}`, FENCE_MS, (done) => {
      readBoth(node, (record) => {
        const before = standing(node, record);
        if (before.is !== 'Fenceable') return done();
        if (before.proof !== 'Fencing') return revoke(node, before, done);
        world.log(name, `fences ${node} by its device`);
        const told = (isConfirmed: boolean): void => {
          awake(() => {
            world.log(name, `the device of ${node} ${isConfirmed ? 'confirms' : 'fails'}`);
            if (isConfirmed) revoke(node, before, done);
            else done();
          })();
        };
        useDevice(node, told);
      });
    });

  const readBoth = (node: string, then: (record: NodeRecord, fresh: LeaseRecord) => void): void =>
    call(
      () => store.node(node),
      (record) =>
        call(
          () => store.lease(node),
          (fresh) => {
            onLease(fresh);
            then(record, fresh);
          },
        ),
    );

  const revoke = (node: string, before: Standing & { is: 'Fenceable' }, done: () => void): void =>
    readBoth(node, (record, fresh) => {
      const now = standing(node, record);
      const isAsRead = leases.get(node)?.revision === fresh.revision;
      if (!isAsRead || now.is !== 'Fenceable' || now.proof !== before.proof) return done();
      world.log(name, `revokes the lease of ${node}: ${now.by}`);
      const change = { holder: '', rejoinAsked: false, revokedBy: now.by };
      call(
        () => store.writeLease(node, fresh.revision, change),
        (written) => {
          if (written !== undefined) onLease(written);
          done();
        },
      );
    });

  const grant = (node: string): void =>
    alone(`grant ${node}`, FORGET_MS, (done) => {
      const record = nodes.get(node);
      takeBackWord(node, record);
      if (record?.node !== undefined && operatorOf(record.node) !== undefined) return done();
      call(
        () => store.lease(node),
        (fresh) => {
          onLease(fresh);
          const lease = leases.get(node);
          if (lease?.revision !== fresh.revision || lease.holder !== '' || !lease.rejoinAsked) return done();
          const [step] = planRecovery(lease, placedOn(node), () => undefined);
          if (step?.do !== 'grant') return done();
          const change = { holder: node, term: step.term, rejoinAsked: false, revokedBy: undefined };
          call(
            () => store.writeLease(node, fresh.revision, change),
            (written) => {
              if (written !== undefined) {
                world.log(name, `lets ${node} in, term ${step.term}`);
                onLease(written);
              }
              done();
            },
          );
        },
      );
    });

  const takeBackWord = (name_: string, record: NodeRecord | undefined): void => {
    const node = record?.node;
    if (node === undefined || operatorOf(node) === undefined) return;
    const written = (next: NodeRecord | undefined): void => {
      if (next !== undefined) onNode(name_, next);
    };
    call(() => store.writeNode(name_, record?.revision ?? 0, withoutWord(node)), written);
  };

  const renewsDespiteWord = (node: string): boolean => {
    const renewal = leases.get(node)?.renewal;
    if (operatorOf(nodes.get(node)?.node) === undefined || renewal === undefined) {
      renewals.delete(node);
      return false;
    }
    if (!renewals.has(node)) renewals.set(node, renewal);
    return renewals.get(node) !== renewal;
  };

  const placedOn = (node: string): PlacedContainer[] => {
    const placed: PlacedContainer[] = [];
    for (const container of containers.values()) if (container.nodeName === node) placed.push(container);
    return placed;
  };
  const writeContainer = (key: string, change: Partial<ContainerRecord>): void =>
    alone(key, FORGET_MS, (done) => {
      const expected = containers.get(key)?.revision ?? 0;
      call(
        () => store.writeContainer(key, expected, change),
        (written) => {
          if (written !== undefined) onContainer(written);
          done();
        },
      );
    });

  const recover = (node: string): void => {
    const lease = leases.get(node);
    if (lease === undefined || lease.holder !== '' || lease.rejoinAsked) return;
    const target = freshNode(node);
    // Two leaders need not see the same room: for the first one, nothing ever fits c0.
    const targetFor = ({ key }: PlacedContainer): string | undefined =>
      key === 'c0' && name === leaderName(0) ? undefined : target;
    for (const step of planRecovery(lease, placedOn(node), targetFor)) {
      if (step.do !== 'move') continue;
      const { epoch = 0 } = containers.get(step.key) ?? {};
      const term = leases.get(step.target)?.term ?? 0;
      if (world.isTraced) world.log(name, `moves ${step.key} from ${node} to ${step.target}`);
      writeContainer(step.key, { nodeName: step.target, term, epoch: epoch + 1 });
    }
  };
  const freshNode = (other: string): string | undefined => {
    const nowMs = localNow();
    for (const [node, { holder }] of leases) {
      const isThere = nodes.get(node)?.node !== undefined;
      if (node !== other && holder === node && isThere && view.verdict(node, nowMs).state === 'Live')
        return node;
    }
    return undefined;
  };
  const reaffirm = (node: string): void => {
    const lease = leases.get(node);
    if (lease === undefined || lease.holder === '') return;
    for (const { key, nodeName, term } of containers.values()) {
      if (nodeName !== node || term >= lease.term) continue;
      for (const step of planRecovery(lease, [{ key, nodeName, term }], () => undefined))
        if (step.do === 'reaffirm') writeContainer(key, { term: step.term });
    }
  };

  const changeMembers = (): void => {
    if (!isListOpen) return;
    isListOpen = false;
    const there: string[] = [];
    for (const [node, record] of nodes) if (record.node !== undefined) there.push(node);
    const next = planMembers({
      list: members.list,
      nodes: there,
      leases: Array.from(leases.values(), ({ node, holder, uses }) => ({
        node,
        isHeld: holder !== '',
        uses,
      })),
    });
    if (next === undefined) return;
    // Until it is seen to be done.
    isListOpen = true;
    const expected = members.revision;
    alone('members', FORGET_MS, (done) => {
      world.log(name, `members, version ${next.version}: ${next.members.join(' ')}`);
      call(
        () => store.writeMembers(expected, next),
        (written) => {
          if (written !== undefined) onMembers(written);
          done();
        },
      );
    });
  };

  const reconcile = (node: string): void => {
    const { is } = standing(node, nodes.get(node));
    switch (is) {
      case 'Live':
        if (renewsDespiteWord(node)) takeBackWord(node, nodes.get(node));
        return reaffirm(node);
      case 'Fenceable':
        return fence(node);
      case 'Fenced':
        return recover(node);
      case 'Joining':
        return grant(node);
      default:
        return reaffirm(node);
    }
  };

  const tick = (): void => {
    probe();
    for (const node of leases.keys()) reconcile(node);
    changeMembers();
    world.at(world.now + TICK_MS * (0.8 + world.random() * 0.4), awake(tick));
  };

  const relist = (): void => {
    let isDone = false;
    const retry = awake(() => {
      if (!isDone) relist();
    });
    call(
      () => ({
        leases: [...store.leases.values()],
        containers: [...store.containers.values()],
        nodes: [...store.nodes],
        members: store.members(),
      }),
      (seen) => {
        isDone = me.lag.members === 0;
        for (const [node, record] of seen.nodes) onNode(node, record);
        if (isDone) onMembers(seen.members);
        for (const lease of seen.leases) onLease(lease);
        for (const container of seen.containers) onContainer(container);
      },
    );
    world.at(world.now + FORGET_MS, retry);
  };

  const start = (): void => {
    life++;
    for (const cache of [leases, containers, nodes, renewals, busy]) cache.clear();
    members = { list: undefined, revision: 0 };
    sinceMs = localNow();
    view = new LeaderView(sinceMs, [], defaultTiming);
    relist();
    tick();
  };

  world.at(0, start);
  store.watch(me, { onLease, onContainer, onNode, onMembers });
  return {
    endpoint: me,
    kill() {
      me.killed++;
      life++;
    },
    restart() {
      me.killed--;
      if (isUp()) start();
    },
  };
}
