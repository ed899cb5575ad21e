import { armGuard, disarmed } from '../../src/plan/failover/guard.ts';
import {
  deadlineMs,
  type LeaseAction,
  nextLeaseAction,
  onLeaseRead,
  onReadFailed,
  onRenewed,
  onRenewFailed,
  onSent,
  startNodeLease,
} from '../../src/plan/failover/node-lease.ts';
import { mayRun } from '../../src/plan/failover/permission.ts';
import type { FailoverTiming } from '../../src/plan/failover/timing.ts';
import {
  onWitnessAnswers,
  shouldAskPeers,
  witnessAnswer,
  type WitnessAnswer,
} from '../../src/plan/failover/witness.ts';
import { type Network, STORE } from './network.ts';
import type { Runtime } from './runtime.ts';
import type { ContainerRecord, Store } from './store.ts';
import type { World } from './world.ts';

/** Deliberate faults in the code around the protocol, which the simulation must find. */
export interface Breakage {
  /** The agent starts containers without asking the guard. */
  startWithoutPermission?: boolean;
  /** The guard is frozen together with its agent. */
  guardFreezesWithAgent?: boolean;
  /** The leader does not wait for fenceDelay. */
  skipFenceDelay?: boolean;
  /** The leader revokes a lease whatever version it has come to. */
  revokeUnconditionally?: boolean;
  /** The leader revokes whatever the majority does. */
  skipBrake?: boolean;
}

export interface NodeActor {
  readonly name: string;
  /** What a peer asks, on this node's clock. */
  answerPeer(reply: (cutOffForMs: number) => void): void;
}

interface Deps {
  name: string;
  peers: () => readonly NodeActor[];
  members: readonly string[];
  world: World;
  network: Network;
  store: Store;
  runtime: Runtime;
  timing: FailoverTiming;
  breakage: Breakage;
}

const REQUEST_TIMEOUT_MS = 900;
const ASK_EVERY_MS = 250;

/** A host: agent, guard and daemon. The agent can be paused, killed and started again; the guard goes on. */
export function createNodeActor(deps: Deps): NodeActor {
  const { name, world, network, store, runtime, timing, breakage } = deps;
  // Clocks drift by up to 1 %, and begin anywhere.
  const rate = world.between(0.99, 1.01);
  const offset = world.between(0, 1_000_000);
  const localNow = (): number => world.now * rate + offset;
  const afterLocal = (delayMs: number, run: () => void): void => world.at(world.now + delayMs / rate, run);

  const containers = new Map<string, ContainerRecord>();
  let guard = disarmed;
  let life = 0;
  const before = { timing, liveUntilMs: Number.NEGATIVE_INFINITY };
  let lease = startNodeLease(localNow(), guard, before);
  let lastAskedMs = Number.NEGATIVE_INFINITY;

  const isUp = (): boolean =>
    network.isActive('kill', name) === undefined && network.isActive('hostDown', name) === undefined;
  const isFrozen = (): boolean => network.isActive('pause', name) !== undefined;

  /** For the agent alone: later if it is frozen, never if it was killed in between. */
  const asAgent = (run: () => void): (() => void) => {
    const born = life;
    return () =>
      network.whenAwake(name, () => {
        if (born === life && isUp()) run();
      });
  };

  const enforce = (): void => {
    if (breakage.guardFreezesWithAgent === true && isFrozen()) return;
    if (localNow() >= guard.deadlineMs) runtime.stopAll(name, 'guard');
  };

  const leaseChanged = (next: typeof lease): void => {
    lease = next;
    if (lease.mode !== 'Unread') {
      guard = armGuard(guard, {
        term: lease.term,
        deadlineMs: deadlineMs(lease),
        revoked: lease.mode === 'Revoked',
      });
    }
    const until = guard.deadlineMs;
    if (Number.isFinite(until)) afterLocal(Math.max(0, until - localNow()) + world.between(0, 50), enforce);
    else enforce();
    sync();
    tick();
  };

  /** Starts what may run here, and stops what was placed elsewhere. */
  const sync = (): void => {
    for (const [key, placed] of containers) {
      const allowed =
        breakage.startWithoutPermission === true
          ? placed.nodeName === name
          : mayRun(placed, { node: name, ...guard }, localNow());
      if (allowed) runtime.start(key, name);
      else if (placed.nodeName !== name) runtime.stop(key, name, 'moved');
    }
  };

  const request = <T>(ask: () => T, answered: (reply: T) => void, failed: () => void): void => {
    let done = false;
    const finish = (run: () => void): void => {
      if (!done) {
        done = true;
        run();
      }
    };
    // The connection is this process's own: a process that was started later never reads the answer.
    let reply: T | undefined;
    const heard = asAgent(() => finish(() => answered(reply as T)));
    network.send(name, STORE, () => {
      reply = ask();
      network.send(STORE, name, heard);
    });
    afterLocal(
      REQUEST_TIMEOUT_MS,
      asAgent(() => finish(failed)),
    );
  };

  const renew = (action: LeaseAction & { do: 'renew' }): void => {
    const renewal = world.random();
    request(
      () =>
        store.writeLease(name, Number(action.resourceVersion), {
          sinceReplyMs: action.sinceReplyMs,
          renewal,
        }),
      (written) => {
        if (written === undefined)
          return leaseChanged(onRenewFailed(lease, { nowMs: localNow(), refused: true }));
        const reply = { nowMs: localNow(), resourceVersion: String(written.revision) };
        return leaseChanged(onRenewed(lease, reply, timing));
      },
      () => {
        world.log(name, 'renewal: no answer');
        leaseChanged(onRenewFailed(lease, { nowMs: localNow(), refused: false }));
      },
    );
  };

  const read = (): void => {
    request(
      () => store.lease(name),
      (seen) => {
        const outcome = onLeaseRead(
          lease,
          { ...seen, resourceVersion: String(seen.revision) },
          { node: name, nowMs: localNow(), timing },
        );
        if (outcome.rejoin !== undefined) rejoin(outcome.rejoin.resourceVersion);
        if (outcome.state.mode !== lease.mode)
          world.log(name, `lease is ${outcome.state.mode}, term ${outcome.state.term}`);
        leaseChanged(outcome.state);
      },
      () => leaseChanged(onReadFailed(lease, localNow(), timing)),
    );
  };

  const rejoin = (resourceVersion: string): void => {
    network.send(name, STORE, () => {
      store.writeLease(name, Number(resourceVersion), { rejoinAsked: true });
    });
  };

  const askPeers = (): void => {
    const askedMs = localNow();
    lastAskedMs = askedMs;
    const answers: WitnessAnswer[] = [];
    for (const peer of deps.peers()) {
      if (peer.name === name) continue;
      let cutOffForMs = 0;
      const heard = asAgent(() => {
        const nowMs = localNow();
        answers.push({ peer: peer.name, cutOffForMs, receivedMs: nowMs });
        const question = { node: name, askedMs, nowMs, answers, members: deps.members };
        const next = onWitnessAnswers(lease, question, timing);
        if (next === lease) return;
        world.log(name, `runs on: ${answers.length} peers have answered`);
        leaseChanged(next);
      });
      network.send(name, peer.name, () =>
        peer.answerPeer((cutOff) => {
          cutOffForMs = cutOff;
          network.send(peer.name, name, heard);
        }),
      );
    }
  };

  const tick = (): void => {
    const nowMs = localNow();
    if (shouldAskPeers(lease, nowMs, timing) && nowMs - lastAskedMs >= ASK_EVERY_MS) askPeers();
    const action = nextLeaseAction(lease, nowMs);
    if (action.do === 'wait') return;
    lease = onSent(lease, action, nowMs, timing);
    if (action.do === 'renew') renew(action);
    else read();
  };

  /** The agent's own clockwork; everything else is an answer to something. */
  const heartbeat = (): void => {
    tick();
    sync();
    const action = nextLeaseAction(lease, localNow());
    const untilMs = action.do === 'wait' ? action.untilMs - localNow() : 0;
    const beatMs = lease.mode === 'Doubtful' ? ASK_EVERY_MS : timing.renewMs;
    afterLocal(Math.max(1, Math.min(untilMs, beatMs)), asAgent(heartbeat));
  };

  const startAgent = (): void => {
    life++;
    lease = startNodeLease(localNow(), guard, before);
    for (const [key, placed] of store.containers) containers.set(key, placed);
    heartbeat();
  };

  store.watchContainers(name, (key, placed) => {
    if (!isUp() || (containers.get(key)?.revision ?? 0) >= placed.revision) return;
    containers.set(key, placed);
    sync();
  });

  world.at(0, startAgent);
  for (const fault of network.faultsOf(name)) {
    const spanMs = Math.round(fault.until - fault.from);
    if (fault.kind === 'hostDown') {
      world.at(fault.from, () => {
        world.log(name, `host lost for ${spanMs} ms`);
        guard = disarmed;
        life++;
        runtime.lose(name);
      });
    } else if (fault.kind === 'kill' || fault.kind === 'pause') {
      world.at(fault.from, () =>
        world.log(name, `agent ${fault.kind === 'kill' ? 'killed' : 'frozen'} for ${spanMs} ms`),
      );
    }
    if (fault.kind === 'kill' || fault.kind === 'hostDown') {
      world.at(fault.until + 0.001, () => isUp() && startAgent());
    }
  }

  return {
    name,
    answerPeer(reply) {
      asAgent(() => reply(witnessAnswer(lease, localNow())))();
    },
  };
}
