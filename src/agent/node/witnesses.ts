import type { ConfigMap } from '../../crds/lease.ts';
import { type Node, nodeKind } from '../../crds/node.ts';
import { type MemberList, parseMembers } from '../../plan/failover/membership.ts';
import type { NodeLeaseState } from '../../plan/failover/node-lease.ts';
import type { FailoverTiming } from '../../plan/failover/timing.ts';
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
  /** Asks all peers; calls `onAnswer` after each answer with what counts all of them so far. Never rejects. */
  ask(signal: AbortSignal, onAnswer: (count: Count) => void): Promise<void>;
}

export type Count = (
  state: NodeLeaseState,
  at: { askedMs: number; nowMs: number; timing: FailoverTiming },
) => NodeLeaseState;

/** What is on the disk. */
export interface KnownPeers {
  list?: MemberList;
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
  let list: MemberList | undefined;

  const others = (): string[] => (list?.members ?? []).filter((name) => name !== nodeName);

  const save = async (): Promise<void> => {
    try {
      await file.write({ ...(list === undefined ? {} : { list }), peers: [...known.values()] });
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'cannot save who the other nodes are');
    }
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
      await save();
    } catch (error) {
      logger.debug({ peer: name, error: messageOf(error) }, 'cannot look up where a node answers');
    }
  };

  const take = async (): Promise<void> => {
    const [map] = members.cache.list();
    const next = parseMembers(map?.data);
    if (next === undefined || (list !== undefined && next.version <= list.version)) return;
    list = next;
    logger.info({ version: next.version, members: next.members.length }, 'the nodes that count');
    for (const name of known.keys()) if (!next.members.includes(name)) known.delete(name);
    await save();
  };

  return {
    name: 'witnesses',
    version: () => (peers === undefined ? undefined : list?.version),
    async start(signal) {
      const saved = await file.read();
      list ??= saved?.list;
      for (const peer of saved?.peers ?? []) known.set(peer.node, peer);
      members.onChange(() => void take());
      let turn = 0;
      let refreshedMs = clock.monotonicMs();
      while (!signal.aborted) {
        const unknown = others().find((name) => !known.has(name));
        const isStale = clock.monotonicMs() - refreshedMs >= REFRESH_MS;
        const name = unknown ?? (isStale ? others()[turn++ % Math.max(1, others().length)] : undefined);
        if (isStale) refreshedMs = clock.monotonicMs();
        if (name !== undefined && members.hasSynced()) await lookUp(name, signal);
        await sleep(clock, LOOK_MS, signal);
      }
    },
    async ask(signal, onAnswer) {
      const asked = list;
      if (asked === undefined || peers === undefined) return;
      const answers: WitnessAnswer[] = [];
      const count: Count = (state, { timing, ...at }) =>
        onWitnessAnswers(state, { node: nodeName, ...at, answers, members: asked.members }, timing);
      // Alone it may be more than half of all nodes.
      onAnswer(count);
      await Promise.all(
        others().map(async (name) => {
          const peer = known.get(name);
          if (peer === undefined) return;
          try {
            const limits = { clock, timeoutMs: ANSWER_MS, what: `Asking ${name}` };
            const cutOffForMs = await withDeadline(limits, signal, (inner) => peers.ask(peer, inner));
            answers.push({ peer: name, cutOffForMs, receivedMs: clock.monotonicMs() });
            onAnswer(count);
          } catch (error) {
            logger.debug({ peer: name, error: messageOf(error) }, 'a peer does not answer');
          }
        }),
      );
    },
  };
}

function peerOf({ metadata, status }: Node): Peer | undefined {
  const address = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  const port = status?.agentPort;
  return address === undefined || port === undefined ? undefined : { node: metadata.name, address, port };
}
