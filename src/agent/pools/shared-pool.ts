import { randomUUID } from 'node:crypto';
import type { NodePool } from '../../crds/node.ts';
import type { StoragePool } from '../../crds/storage-pool.ts';
import {
  answersDue,
  judgeProof,
  type ProofVerdict,
  type SeenFilesystem,
} from '../../plan/storage/shared-proof.ts';
import type { Clock } from '../../ports/clock.ts';
import { messageOf } from '../../ports/errors.ts';
import type { HostFolders } from './host-folders.ts';
import { poolUsage } from './usage.ts';

/**
 * This node's side of a Shared pool: it writes its proof, answers to those of others when it is the anchor, and says whether
 * the pool can be offered (plan/storage/shared-proof.ts). A proof is as old as this process at most, and is made anew when
 * the filesystem goes away: a pool that is mounted again has to be confirmed again.
 */
export interface SharedPools {
  /** Looks once. @returns what Node.status says of the pool; never rejects for what the filesystem does */
  look(pool: StoragePool): Promise<SharedPoolState>;
  /** The mark is taken off a filesystem that nobody needs any more. */
  release(pool: StoragePool): Promise<void>;
}

export type SharedPoolState = Pick<NodePool, 'ready' | 'reason' | 'message' | 'proof' | 'total' | 'used'>;

interface Memory {
  proof: string;
  isWritten: boolean;
  /** Monotonic milliseconds since when the leader shows the proof. */
  shownSinceMs?: number;
  answered: Map<string, string>;
  /** Of the last look. */
  size: Pick<NodePool, 'total' | 'used'>;
}

export interface SharedPoolsDeps {
  nodeName: string;
  clock: Clock;
  folders: HostFolders;
}

export function createSharedPools({ nodeName, clock, folders }: SharedPoolsDeps): SharedPools {
  /** By uid. */
  const memories = new Map<string, Memory>();
  const remember = (uid: string): Memory => {
    const memory = memories.get(uid) ?? {
      proof: randomUUID(),
      isWritten: false,
      answered: new Map(),
      size: {},
    };
    memories.set(uid, memory);
    return memory;
  };

  /** Writes the proof where it is not: for the first time, or, with a new one, since the filesystem is another one now. */
  const writeProof = async (source: string, uid: string): Promise<Memory> => {
    let memory = remember(uid);
    if (memory.isWritten) {
      if ((await folders.readNote(source, nodeName)) === memory.proof) return memory;
      memories.delete(uid);
      memory = remember(uid);
    }
    await folders.writeNote(source, nodeName, memory.proof);
    memory.isWritten = true;
    return memory;
  };

  const see = async (pool: StoragePool, source: string): Promise<SeenFilesystem> => {
    const { uid = '' } = pool.metadata;
    const fault = await folders.mountFault(source);
    if (fault !== undefined) return { is: 'NotMounted', message: fault };
    const markerUid = await folders.claim(source, uid);
    if (markerUid !== uid) return { is: 'mounted', markerUid, anchorProof: undefined, answer: undefined };
    await writeProof(source, uid);
    const anchor = pool.status?.anchor?.node;
    return {
      is: 'mounted',
      markerUid,
      anchorProof: anchor === undefined ? undefined : await folders.readNote(source, anchor),
      answer: await folders.readNote(source, `${nodeName}.answer`),
    };
  };

  const judge = (pool: StoragePool, seen: SeenFilesystem): ProofVerdict => {
    const { uid: poolUid = '' } = pool.metadata;
    const memory = remember(poolUid);
    const isShown = pool.status?.nodes?.[nodeName]?.proof === memory.proof;
    if (isShown) memory.shownSinceMs ??= clock.monotonicMs();
    const shownForMs = isShown ? clock.monotonicMs() - (memory.shownSinceMs ?? 0) : undefined;
    return judgeProof({
      poolUid,
      nodeName,
      proof: memory.proof,
      anchor: pool.status?.anchor,
      seen,
      shownForMs,
    });
  };

  return {
    async look(pool) {
      const { uid = '' } = pool.metadata;
      const { source = '' } = pool.spec;
      try {
        const seen = await see(pool, source);
        const { isShown, ...verdict } = judge(pool, seen);
        if (!isShown) memories.delete(uid);
        const memory = remember(uid);
        if (verdict.ready) {
          await answerOthers({ nodeName, folders }, pool, memory.answered);
          memory.size = poolUsage(await folders.usage(source), memory.size);
        }
        return { ...verdict, ...(isShown ? { proof: memory.proof, ...memory.size } : {}) };
      } catch (error) {
        // Nobody can say what is there: it is not offered, and begins anew when it answers again.
        memories.delete(uid);
        return { ready: false, reason: 'FilesystemUnavailable', message: messageOf(error) };
      }
    },
    async release({ metadata: { uid = '' }, spec: { source = '' } }) {
      memories.delete(uid);
      if ((await folders.mountFault(source)) === undefined) await folders.release(source, uid);
    },
  };
}

/** Each proof once, as long as this process lives. */
async function answerOthers(
  { nodeName, folders }: Pick<SharedPoolsDeps, 'nodeName' | 'folders'>,
  pool: StoragePool,
  answered: Map<string, string>,
): Promise<void> {
  for (const [node, proof] of answersDue(pool, nodeName)) {
    if (answered.get(node) === proof) continue;
    await folders.writeNote(pool.spec.source ?? '', `${node}.answer`, proof);
    answered.set(node, proof);
  }
}
