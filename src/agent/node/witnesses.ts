import type { ConfigMap } from '../../crds/lease.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import {
  countedMembers,
  type KnownMembers,
  onListRead,
  onVersionSaid,
} from '../../plan/failover/known-members.ts';
import { parseMembers } from '../../plan/failover/membership.ts';
import type { NodeLeaseState } from '../../plan/failover/node-lease.ts';
import type { FailoverTiming } from '../../plan/failover/timing.ts';
import { elapsedMs, type Moment } from '../../plan/failover/two-clocks.ts';
import { onWitnessAnswers, type WitnessAnswer } from '../../plan/failover/witness.ts';
import { type Clock, sleep } from '../../ports/clock.ts';
import { withDeadline } from '../../ports/deadline.ts';
import { messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { Peer, Peers } from '../../ports/peers.ts';
import type { Informer } from '../../reconcile/informer.ts';
import type { Runnable } from '../../reconcile/runnable.ts';

/**
 * The other nodes of the cluster, as witnesses of an outage: who counts (the leader's member list), where they answer (their
 * Nodes), both kept on disk for the time when the API is away, and asked all at once.
 */
export interface Witnesses extends Runnable {
  /** Version of the member list in use; undefined: none. */
  version(): number | undefined;
  /** A renewal that said this version has succeeded. */
  onSaid(version: number | undefined): void;
  /**
   * Asks all peers; calls `onAnswer` after each answer with what counts all of them so far. Never rejects.
   * @param asked now
   */
  ask(asked: Moment, signal: AbortSignal, onAnswer: (count: Count) => void): Promise<void>;
}

export type Count = (state: NodeLeaseState, at: { nowMs: number; timing: FailoverTiming }) => NodeLeaseState;

/** What is on the disk. */
export interface KnownPeers extends KnownMembers {
  peers: readonly Peer[];
}

export interface KnownPeersFile {
  /** @returns undefined when there is nothing of use */
  read(): Promise<KnownPeers | undefined>;
  write(known: KnownPeers): Promise<void>;
}

export interface WitnessesDeps {
  nodeName: string;
  members: Informer<ConfigMap>;
  /** Absent: nobody can be asked. */
  peers: Peers | undefined;
  file: KnownPeersFile;
  store: Pick<ObjectStore, 'get'>;
  clock: Clock;
  logger: Logger;
}

const ANSWER_MS = 500;
const LOOK_MS = 1_000;
/** One peer's address is looked up anew this often, each in turn. */
const REFRESH_MS = 30_000;
const LOOKUP_MS = 5_000;

export function createWitnesses(deps: WitnessesDeps): Witnesses {
  const { nodeName, members, peers, file, clock, logger } = deps;
  const known = new Map<string, Peer>();
  let counted: KnownMembers = {};
  let isSaved = true;

  const others = (): string[] => (counted.list?.members ?? []).filter((name) => name !== nodeName);

  /** @returns whether it is on the disk */
  const save = async (next: KnownMembers): Promise<boolean> => {
    try {
      await file.write({ ...next, peers: [...known.values()] });
      isSaved = true;
    } catch (error) {
      if (isSaved) logger.warn({ error: messageOf(error) }, 'cannot save who the other nodes are');
      isSaved = false;
    }
    return isSaved;
  };

  const lookUp = async (name: string, signal: AbortSignal): Promise<void> => {
    try {
      const limits = { clock, timeoutMs: LOOKUP_MS, what: `Reading Node ${name}` };
      const node = await withDeadline(limits, signal, (inner) =>
        deps.store.get<Node>(nodeKind, { name }, inner),
      );
      const peer = node === undefined ? undefined : peerOf(node);
      if (peer === undefined || JSON.stringify(known.get(name)) === JSON.stringify(peer)) return;
      known.set(name, peer);
      await save(counted);
    } catch (error) {
      logger.debug({ peer: name, error: messageOf(error) }, 'cannot look up where a node answers');
    }
  };

  /** On the disk first: an agent that is started anew must not count by an older list than this one has said. */
  const take = async (): Promise<void> => {
    const [map] = members.cache.list();
    const next = parseMembers(map?.data);
    if (next === undefined || onListRead(counted, next) === counted) return;
    if (!(await save(onListRead(counted, next)))) return;
    counted = onListRead(counted, next);
    logger.info({ version: next.version, members: next.members.length }, 'the nodes that count');
    for (const name of known.keys()) if (!next.members.includes(name)) known.delete(name);
  };

  return {
    name: 'witnesses',
    version: () => (peers === undefined ? undefined : counted.list?.version),
    onSaid(version) {
      const next = onVersionSaid(counted, version);
      if (next === counted) return;
      counted = next;
      void save(next);
    },
    async start(signal) {
      const { peers: savedPeers = [], ...saved } = (await file.read()) ?? {};
      if (counted.list === undefined) counted = saved;
      for (const peer of savedPeers) known.set(peer.node, peer);
      members.onChange(() => void take());
      let turn = 0;
      let refreshedMs = clock.monotonicMs();
      while (!signal.aborted) {
        await take();
        const unknown = others().find((name) => !known.has(name));
        const isStale = clock.monotonicMs() - refreshedMs >= REFRESH_MS;
        const name = unknown ?? (isStale ? others()[turn++ % Math.max(1, others().length)] : undefined);
        if (isStale) refreshedMs = clock.monotonicMs();
        if (name !== undefined && members.hasSynced()) await lookUp(name, signal);
        await sleep(clock, LOOK_MS, signal);
      }
    },
    async ask(asked, signal, onAnswer) {
      const all = countedMembers(counted);
      if (all === undefined) return;
      const reachable = all.flatMap((name) => (name === nodeName ? [] : (known.get(name) ?? [])));
      await askAll(deps, { asked, members: all, reachable, onAnswer }, signal);
    },
  };
}

interface Question {
  asked: Moment;
  members: readonly string[];
  reachable: readonly Peer[];
  onAnswer(count: Count): void;
}

async function askAll(
  { nodeName, peers, clock, logger }: WitnessesDeps,
  question: Question,
  signal: AbortSignal,
): Promise<void> {
  if (peers === undefined) return;
  const { asked, members, reachable } = question;
  const askedMs = asked.monotonicMs;
  const answers: WitnessAnswer[] = [];
  const count: Count = (state, { nowMs, timing }) =>
    onWitnessAnswers(state, { node: nodeName, askedMs, nowMs, answers, members }, timing);
  // Alone it may be more than half of all nodes.
  question.onAnswer(count);
  await Promise.all(
    reachable.map(async (peer) => {
      try {
        const limits = { clock, timeoutMs: ANSWER_MS, what: `Asking ${peer.node}` };
        const cutOffForMs = await withDeadline(limits, signal, (inner) => peers.ask(peer, inner));
        // Longer by the wall clock alone when the host slept: such an answer is none.
        const tookMs = elapsedMs(asked, { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() });
        if (tookMs > ANSWER_MS) return;
        answers.push({ peer: peer.node, cutOffForMs, receivedMs: askedMs + tookMs });
        question.onAnswer(count);
      } catch (error) {
        logger.debug({ peer: peer.node, error: messageOf(error) }, 'a peer does not answer');
      }
    }),
  );
}

function peerOf({ metadata, status }: Node): Peer | undefined {
  const address = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  const port = status?.agentPort;
  return address === undefined || port === undefined ? undefined : { node: metadata.name, address, port };
}
