import type { Node, NodePool } from '../../crds/node.ts';
import type { StoragePool, StoragePoolStatus } from '../../crds/storage-pool.ts';
import { isUnheard } from '../failover/node-conditions.ts';
import { entryOf, isSelected } from './pool-status.ts';

/**
 * How a node proves that what is mounted at a Shared pool's source is the filesystem that the other nodes have, and not
 * an empty folder, another one, or a copy. The leader names one node the *anchor*: its filesystem is the pool. Each agent,
 * whenever it starts, makes up a new *proof*, writes it into the filesystem and reports it in Node.status; the anchor
 * writes what was reported to it into *its* filesystem as the answer. Who reads there the answer to its own new proof
 * sees what the anchor writes. A copy has old answers only.
 */
export interface ProofFacts {
  poolUid: string;
  nodeName: string;
  proof: string;
  /** As StoragePool.status has it. */
  anchor: StoragePoolStatus['anchor'];
  seen: SeenFilesystem;
  /** How long the anchor has been able to see the proof; undefined: it is not in StoragePool.status yet. */
  shownForMs: number | undefined;
}

export type SeenFilesystem =
  | { is: 'NotMounted'; message: string }
  | {
      is: 'mounted';
      /** uid of the StoragePool whose marker lies there. */
      markerUid: string;
      /** What the anchor has written there as its proof; undefined: nothing. */
      anchorProof: string | undefined;
      /** The proof to which the last answer to this node is. */
      answer: string | undefined;
    };

export interface ProofVerdict extends Pick<NodePool, 'ready' | 'reason' | 'message'> {
  /** Whether the proof is written and to be reported. */
  isShown: boolean;
}

/** The anchor answers within a second or two of seeing the proof, unless it answers elsewhere. */
const ANSWER_MS = 15_000;

/** What a node says of a Shared pool. Pure and total. */
export function judgeProof({ seen, ...facts }: ProofFacts): ProofVerdict {
  const { poolUid, nodeName, proof, anchor, shownForMs } = facts;
  if (seen.is === 'NotMounted') return refusal('NotMounted', seen.message, false);
  if (seen.markerUid !== poolUid) {
    const message = `The filesystem belongs to another StoragePool (uid ${seen.markerUid}); if it is gone, remove the file .hostler-pool there`;
    return refusal('ForeignPool', message, false);
  }
  if (anchor === undefined) return refusal('Proving', 'Waits for the leader to name the first node', true);
  if (anchor.node === nodeName) {
    if (anchor.proof === proof) return confirmed();
    return refusal('Proving', 'Waits for the leader to take notice', true);
  }
  if (seen.answer === proof) return confirmed();
  if (shownForMs === undefined) return refusal('Proving', 'Waits for the leader to take notice', true);
  if (seen.anchorProof !== anchor.proof || shownForMs >= ANSWER_MS) {
    const message = `What node ${anchor.node} writes to the pool does not appear here`;
    return refusal('NotTheSameFilesystem', message, true);
  }
  return refusal('Proving', `Waits for node ${anchor.node} to confirm that the filesystem is the same`, true);
}

function confirmed(): ProofVerdict {
  return { ready: true, reason: 'Ready', message: '', isShown: true };
}

function refusal(reason: string, message: string, isShown: boolean): ProofVerdict {
  return { ready: false, reason, message, isShown };
}

/**
 * The node whose filesystem the others must have: the one that has been it, while it is confirmed; else any that is; else
 * one that asks to be. A node that nothing is heard of is no anchor; when nobody who is heard was confirmed, the pool
 * begins anew with what the first of them has.
 */
export function anchorOf(pool: StoragePool, nodes: readonly Node[]): StoragePoolStatus['anchor'] {
  const heard = nodes.flatMap((node) => {
    const entry = isSelected(pool, node) && !isUnheard(node) ? entryOf(pool, node) : undefined;
    return entry?.proof === undefined
      ? []
      : [{ node: node.metadata.name, proof: entry.proof, ready: entry.ready, reason: entry.reason }];
  });
  heard.sort((a, b) => (a.node < b.node ? -1 : 1));
  const before = pool.status?.anchor;
  const isBefore = ({ node }: { node: string }): boolean => node === before?.node;
  const found =
    heard.find((entry) => isBefore(entry) && entry.ready && entry.proof === before?.proof) ??
    heard.find(({ ready, ...entry }) => ready && !isBefore(entry)) ??
    heard.find(isBefore) ??
    heard.find(({ reason }) => reason === 'Proving') ??
    heard[0];
  return found === undefined ? before : { node: found.node, proof: found.proof };
}

/**
 * The answers that a confirmed anchor owes: the proof of each other node.
 * @returns by node; empty unless this node is the anchor
 */
export function answersDue(pool: StoragePool, nodeName: string): ReadonlyMap<string, string> {
  const answers = new Map<string, string>();
  if (pool.status?.anchor?.node !== nodeName) return answers;
  for (const [node, { proof }] of Object.entries(pool.status.nodes ?? {})) {
    if (proof !== undefined && node !== nodeName) answers.set(node, proof);
  }
  return answers;
}
