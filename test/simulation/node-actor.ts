import { FENCED_BY_ANNOTATION } from '../../src/crds/kind.ts';
import type { LeaseRecord } from '../../src/plan/failover/lease-record.ts';
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
import { operatorOf } from '../../src/plan/failover/standing.ts';
import { disarmed } from '../../src/plan/failover/guard.ts';
import {
  countedMembers,
  type KnownMembers,
  onListRead,
  onVersionSaid,
} from '../../src/plan/failover/known-members.ts';
import type { FailoverTiming } from '../../src/plan/failover/timing.ts';
import { after, type Moment, nowBefore } from '../../src/plan/failover/two-clocks.ts';
import { onWitnessAnswers, shouldAskPeers, witnessAnswer } from '../../src/plan/failover/witness.ts';
import { askMembers } from './ask-members.ts';
import { createHost } from './host.ts';
import type { Network } from './network.ts';
import type { NodeActor } from './node.ts';
import { createPlaced } from './placed.ts';
import { storeRequests } from './store-requests.ts';
import { createAgentTiming } from './node-timing.ts';
import type { Runtime } from './runtime.ts';
import { type NodePlan, timings } from './schedule.ts';
import type { ContainerRecord, MembersRecord, Store } from './store.ts';
import { newNode, withoutWord } from './objects.ts';
import type { World } from './world.ts';

export interface NodeDeps {
  name: string;
  plan: NodePlan;
  peer: (name: string) => NodeActor | undefined;
  world: World;
  network: Network;
  store: Store;
  runtime: Runtime;
}

/** Of the time between two renewals, as src/agent/node/lease.ts and lease-state.ts have it; the same for the next two. */
const ANSWER_WITHIN = 0.9;
const START_MARGIN = 0.4;
const ASK_EVERY_MS = 250;
const RELIST_MS = 400;
const HAND_OVER_MS = 900;
const NEVER = Number.NEGATIVE_INFINITY;

/** A host with its agent: the state machines of the product, driven as src/agent/node does it. */
export function createNodeActor(deps: NodeDeps): NodeActor {
  const { name, plan, peer, world, network, store, runtime } = deps;
  const me = network.endpoint(name);
  const host = createHost(world, runtime, me);
  const monotonicMs = (): number => host.monotonicMs();
  /** What people want. */
  let policy = timings[plan.timing];

  const placed = createPlaced({ name, host, runtime });
  /** On the disk, as what is placed: who counts. */
  let known: KnownMembers = {};

  // The process.
  let life = 0;
  let lease = startNodeLease(0, disarmed, undefined);
  const timing = createAgentTiming();
  let wallDeadlineMs = NEVER;
  let lastAskedMs = NEVER;
  let isWordTakenBack = false;

  const isUp = (): boolean => me.killed === 0 && me.off === 0;
  /** For the agent alone: later if it is frozen, never if it was killed in between. */
  const asAgent = (run: () => void): (() => void) => {
    const born = life;
    return () =>
      network.whenAwake(me, () => {
        if (born === life && isUp()) run();
      });
  };
  const isHeld = (): boolean => lease.mode === 'Held' && monotonicMs() < deadlineMs(lease);
  const deadline = (): Moment => ({ monotonicMs: deadlineMs(lease), wallMs: wallDeadlineMs });

  const change = (next: typeof lease, from?: Moment): void => {
    const wasHeld = isHeld();
    const before = deadlineMs(lease);
    lease = next;
    const untilMs = deadlineMs(next);
    if (untilMs !== before && from !== undefined)
      wallDeadlineMs = after(from, untilMs - from.monotonicMs).wallMs;
    const revoked = next.mode === 'Revoked';
    if (next.mode !== 'Unread' && (revoked || Number.isFinite(untilMs))) {
      const order = {
        term: next.term,
        deadlineMs: untilMs,
        wallDeadlineMs: revoked ? NEVER : wallDeadlineMs,
        revoked,
        timing: timing.kept(),
        liveUntilMs: next.liveUntilMs,
        startMarginMs: timing.kept().durationMs * START_MARGIN,
      };
      timing.onOrdered(order);
      host.order({ lease: order });
    }
    if (!wasHeld && isHeld()) placed.sync();
    tick();
  };

  const request = storeRequests({ network, me, host, asAgent });
  const call = <T>(ask: () => T, answered: (reply: T) => void, failed: () => void): void =>
    request(ask, answered, failed, timing.kept().renewMs * ANSWER_WITHIN);

  const renew = (
    action: LeaseAction & { do: 'renew' },
    what: { timing: FailoverTiming; isGuarded: boolean },
  ): void => {
    const sent: Moment = { monotonicMs: lease.lastSentMs, wallMs: host.now().wallMs };
    const failed = (refused: boolean) => () => {
      if (!refused) world.log(name, 'renewal: no answer');
      change(onRenewFailed(lease, { nowMs: monotonicMs(), refused }));
    };
    const version = known.list?.version;
    const fields: Partial<LeaseRecord> = {
      ...what,
      holder: name,
      term: action.term,
      rejoinAsked: false,
      sinceReplyMs: action.sinceReplyMs,
      renewal: world.random(),
      uses: version,
    };
    const write = (): void => {
      timing.onSent(what.timing);
      call(
        () => store.writeLease(name, Number(action.resourceVersion), fields),
        (written) => {
          if (written === undefined) return failed(true)();
          known = onVersionSaid(known, version);
          timing.onConfirmed(what.timing);
          const reply = { nowMs: monotonicMs(), resourceVersion: String(written.revision) };
          change(onRenewed(lease, reply, timing.kept()), sent);
        },
        failed(false),
      );
    };
    if (isWordTakenBack) write();
    else takeBackWord(write, failed(false));
  };

  /** Before the first renewal of this process: whoever said that the host is off cannot mean what runs now. */
  const takeBackWord = (done: () => void, failed: () => void): void =>
    call(
      () => store.node(name),
      ({ node, revision }) => {
        const isTakenBack = (isSo: boolean): void => {
          isWordTakenBack = isSo;
          if (isSo) done();
          else failed();
        };
        if (node === undefined || operatorOf(node) === undefined) return isTakenBack(true);
        world.log(name, `takes back ${FENCED_BY_ANNOTATION}`);
        call(
          () => store.writeNode(name, revision, withoutWord(node)),
          (written) => isTakenBack(written !== undefined),
          failed,
        );
      },
      failed,
    );

  const read = (): void =>
    call(
      () => store.lease(name),
      (seen) => {
        timing.onRead(seen.revision === 0 ? undefined : seen.timing);
        const outcome = onLeaseRead(
          lease,
          { ...seen, resourceVersion: String(seen.revision) },
          { node: name, nowMs: monotonicMs(), timing: timing.kept() },
        );
        if (outcome.rejoin !== undefined) rejoin(seen.revision);
        if (outcome.state.mode !== lease.mode)
          world.log(name, `lease is ${outcome.state.mode}, term ${outcome.state.term}`);
        change(outcome.state);
      },
      () => change(onReadFailed(lease, monotonicMs(), timing.kept())),
    );

  const rejoin = (revision: number): void => {
    const asked = timing.toAsk();
    timing.onSent(asked);
    network.send(me, undefined, () => {
      store.writeLease(name, revision, { rejoinAsked: true, timing: asked });
    });
  };

  const askPeers = (): void => {
    const asked = host.now();
    lastAskedMs = asked.monotonicMs;
    const members = countedMembers(known);
    if (members === undefined) return;
    askMembers({ network, me, host, peer, asAgent }, { asked, members }, (answers) => {
      const askedMs = asked.monotonicMs;
      const nowMs = nowBefore(deadline(), host.now());
      const next = onWitnessAnswers(lease, { node: name, askedMs, nowMs, answers, members }, timing.kept());
      if (next === lease) return;
      world.log(name, `runs on: ${answers.length} peers have answered`);
      change(next, asked);
    });
  };

  const tick = (): void => {
    const nowMs = monotonicMs();
    if (lease.mode === 'Doubtful' && nowMs - lastAskedMs >= ASK_EVERY_MS) {
      const leftNowMs = nowBefore(deadline(), host.now());
      if (timing.isKnown() && shouldAskPeers(lease, leftNowMs, timing.kept())) askPeers();
    }
    const action = nextLeaseAction(lease, nowMs);
    if (action.do === 'wait') return;
    const said = timing.toSay(nowMs, deadlineMs(lease));
    lease = onSent(lease, action, nowMs, said.timing);
    if (action.do === 'renew') renew(action, said);
    else read();
  };

  /** The agent's own clockwork; everything else is an answer to something. */
  const heartbeat = (): void => {
    tick();
    placed.sync();
    const action = nextLeaseAction(lease, monotonicMs());
    const untilMs = action.do === 'wait' ? action.untilMs - monotonicMs() : 0;
    const sinceMs = monotonicMs() - lastAskedMs;
    const untilAskMs = sinceMs < ASK_EVERY_MS ? ASK_EVERY_MS - sinceMs : ASK_EVERY_MS;
    const beatMs = lease.mode === 'Doubtful' ? untilAskMs : timing.kept().renewMs;
    host.after(Math.max(1, Math.min(untilMs, beatMs)), asAgent(heartbeat));
  };

  const onContainer = (container: ContainerRecord): void => {
    if (isUp()) placed.learn(container);
  };
  const onMembers = ({ list }: MembersRecord): void => {
    if (isUp() && list !== undefined) known = onListRead(known, list);
  };
  const onNode = ({ node }: { node: unknown }): void => {
    if (node === undefined) network.send(me, undefined, () => store.writeNode(name, 0, newNode(name, plan)));
  };
  /** What a watch does first: the whole list, as often as it takes. */
  const relist = (): void =>
    request(
      () => ({
        containers: [...store.containers.values()],
        members: store.members(),
        node: store.node(name),
      }),
      (seen) => {
        for (const container of seen.containers) onContainer(container);
        // Its own list request is late as well.
        if (me.lag.members === 0) onMembers(seen.members);
        else host.after(RELIST_MS, asAgent(relist));
        onNode(seen.node);
        hear();
      },
      () => host.after(RELIST_MS, asAgent(relist)),
      RELIST_MS,
    );
  /** The agent learns what people want. */
  const hear = (): void => {
    timing.want(policy);
    change({ ...lease, nextMs: Math.min(lease.nextMs, lease.lastSentMs + policy.renewMs) });
  };

  const startAgent = (): void => {
    life++;
    const report = host.guard().report();
    const { term, deadlineMs: untilMs } = report;
    const now = host.now();
    lease = startNodeLease(now.monotonicMs, { term, deadlineMs: untilMs }, timing.begin(report));
    wallDeadlineMs = after(now, untilMs - now.monotonicMs).wallMs;
    lastAskedMs = NEVER;
    isWordTakenBack = false;
    placed.tellNewGuard();
    relist();
    heartbeat();
  };
  store.watch(me, { onContainer, onMembers });

  return {
    name,
    endpoint: me,
    answerPeer(reply) {
      asAgent(() => reply(witnessAnswer(lease, monotonicMs())))();
    },
    isOff: () => me.off > 0,
    powerOff() {
      me.off++;
      me.asleep = 0;
      life++;
      host.powerOff();
    },
    powerOn() {
      me.off--;
      network.resume(me);
      if (isUp()) startAgent();
    },
    sleep() {
      if (me.off > 0) return;
      me.asleep++;
      host.fallAsleep();
    },
    wake() {
      if (me.asleep > 0) me.asleep--;
      if (me.asleep === 0) host.wake();
    },
    kill() {
      me.killed++;
      life++;
    },
    restart() {
      me.killed--;
      network.whenAwake(me, () => isUp() && startAgent());
    },
    handOver() {
      const isReady = isUp() && me.paused === 0 && me.asleep === 0 && lease.mode === 'Held' && !lease.busy;
      const expected = Number(lease.resourceVersion);
      const nowMs = monotonicMs();
      const fields: Partial<LeaseRecord> = {
        isGuarded: false,
        renewal: world.random(),
        sinceReplyMs: nowMs - lease.repliedMs,
        timing: timing.toSay(nowMs, deadlineMs(lease)).timing,
        uses: known.list?.version,
      };
      me.killed++;
      const ended = ++life;
      if (!isReady || !timing.isArmed()) return;
      network.send(me, undefined, () => {
        const written = store.writeLease(name, expected, fields);
        network.send(undefined, me, () => {
          const isLate = monotonicMs() - nowMs > HAND_OVER_MS || me.off > 0 || me.asleep > 0;
          if (written === undefined || isLate || life !== ended) return;
          world.log(name, 'hands over: the guard lets everything run on');
          host.order({ released: true });
        });
      });
    },
    want(wanted) {
      policy = timings[wanted];
      if (isUp()) asAgent(hear)();
    },
    setWallForward: () => host.setWallForward(3_600_000),
  };
}
