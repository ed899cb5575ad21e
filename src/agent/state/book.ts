import type { Container } from '../../crds/container.ts';
import { keyOf } from '../../crds/object.ts';
import type { KnownCluster } from '../../plan/lifecycle/cluster.ts';
import { type ContainerRecord, RESTARTED_AT_ANNOTATION } from '../../plan/lifecycle/record.ts';
import type { Clock } from '../../ports/clock.ts';
import { hasCode, messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import { isSameJson } from '../../reconcile/same-json.ts';
import type { AssignedContainer, DesiredStateFile } from './desired-state-file.ts';
import { createSaver } from './saver.ts';

/**
 * All that the agent remembers of its containers, in memory and on disk. Changes are written together, soon after they
 * were made; `save` waits for the disk where an action must not come before its record. A disk that takes nothing never
 * holds an action up: the memory stays right, and the write is tried again.
 */
export interface Book {
  /** Reads the disk; what cannot be used is put aside. To be called once, first. */
  load(): Promise<void>;
  keys(): string[];
  /** The entry of this key, whatever its uid. */
  get(key: string): AssignedContainer | undefined;
  put(container: Container, record: ContainerRecord): void;
  forget(key: string): void;
  /** Remembers `epoch` if it is higher than what was seen. @returns the highest */
  raiseEpoch(uid: string, epoch: number): number;
  /** To be called once no instance and no Container of this uid is left. */
  forgetEpoch(uid: string): void;
  /** The cluster that this host's containers came from; undefined before an API was heard. */
  cluster(): KnownCluster | undefined;
  /** @param isUrgent whether it is worth a write of its own, or may wait for the next one */
  putCluster(cluster: KnownCluster, options: { isUrgent: boolean }): void;
  /** Resolves when everything up to now is on the disk, or could not be written (which is logged and reported). */
  save(): Promise<void>;
  /** Saves what is left and ends the background writes. */
  close(): Promise<void>;
}

export interface BookDeps {
  nodeName: string;
  file: DesiredStateFile;
  clock: Clock;
  logger: Logger;
  /** As of SaverDeps. */
  onSaving: (fault: string | undefined) => void;
}

/** Epochs of containers that went elsewhere; the oldest go first. */
const MAX_EPOCHS = 10_000;

export function createBook({ nodeName, file, clock, logger, onSaving }: BookDeps): Book {
  const entries = new Map<string, AssignedContainer>();
  const epochs = new Map<string, number>();
  let cluster: KnownCluster | undefined;
  let savedCluster: KnownCluster | undefined;
  const saver = createSaver({
    clock,
    logger,
    onSaving,
    write: async () => {
      const writing = cluster;
      await file.write({
        nodeName,
        containers: [...entries.values()],
        epochs: Object.fromEntries(epochs),
        ...(writing === undefined ? {} : { cluster: writing }),
      });
      savedCluster = writing;
    },
  });

  return {
    async load() {
      const state = await readOrSetAside(file, logger);
      if (state === undefined) return;
      if (state.nodeName !== nodeName) {
        logger.warn(
          { savedFor: state.nodeName },
          'the desired state is that of another node; it is not used',
        );
        return;
      }
      for (const entry of state.containers) entries.set(keyOf(entry.container), entry);
      for (const [uid, epoch] of Object.entries(state.epochs)) epochs.set(uid, epoch);
      cluster = state.cluster;
      savedCluster = state.cluster;
    },
    keys: () => [...entries.keys()],
    get: (key) => entries.get(key),
    put(container, record) {
      const key = keyOf(container);
      const entry = { container: essenceOf(container), record };
      if (isSameJson(entries.get(key), entry)) return;
      entries.set(key, entry);
      saver.changed();
    },
    forget(key) {
      if (entries.delete(key)) saver.changed();
    },
    raiseEpoch(uid, epoch) {
      const highest = epochs.get(uid);
      if (highest !== undefined && highest >= epoch) return highest;
      epochs.delete(uid);
      epochs.set(uid, epoch);
      for (const oldest of epochs.keys()) {
        if (epochs.size <= MAX_EPOCHS) break;
        epochs.delete(oldest);
      }
      saver.changed();
      return epoch;
    },
    forgetEpoch(uid) {
      if (epochs.delete(uid)) saver.changed();
    },
    cluster: () => cluster,
    putCluster(next, { isUrgent }) {
      cluster = next;
      if (isUrgent && !isSameJson(cluster, savedCluster)) saver.changed();
    },
    save: () => saver.save(),
    async close() {
      if (!isSameJson(cluster, savedCluster)) saver.changed();
      await saver.close();
    },
  };
}

async function readOrSetAside(file: DesiredStateFile, logger: Logger) {
  try {
    return await file.read();
  } catch (error) {
    if (!hasCode(error, 'Invalid')) throw error;
    const asidePath = await file.setAside();
    logger.error({ error: messageOf(error), asidePath }, 'the desired state cannot be used; it is put aside');
    return undefined;
  }
}

/** What decisions need: a status that changes often must not cost a write to the disk each time. */
function essenceOf({ apiVersion, kind, metadata, spec, status }: Container): Container {
  const { name, namespace, uid, generation, deletionTimestamp, finalizers, annotations } = metadata;
  const restartedAt = annotations?.[RESTARTED_AT_ANNOTATION];
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(generation === undefined ? {} : { generation }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ...(restartedAt === undefined ? {} : { annotations: { [RESTARTED_AT_ANNOTATION]: restartedAt } }),
    },
    spec,
    status: {
      ...(status?.nodeName === undefined ? {} : { nodeName: status.nodeName }),
      ...(status?.epoch === undefined ? {} : { epoch: status.epoch }),
      ...(status?.term === undefined ? {} : { term: status.term }),
      ...(status?.failover === undefined ? {} : { failover: status.failover }),
      // Whether it is held for a move: an agent that starts without the API starts nothing that is.
      ...(status?.migration === undefined ? {} : { migration: status.migration }),
      // Nor what was stopped for the maintenance of this node.
      ...(status?.stoppedFor === undefined ? {} : { stoppedFor: status.stoppedFor }),
    },
  };
}
