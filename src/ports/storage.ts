/**
 * The ordered, versioned key-value store below the API server (etcd, behind src/etcd). Every write gets the next
 * *revision* of the whole store; revisions are safe integers. Invariants that each adapter keeps, and that
 * test/contract/storage proves: a write is conditional and its outcome is known (a lost reply is read back, never
 * guessed); a watch yields each later write of its prefix once and in order, across any number of lost connections.
 * Every call has a deadline: it rejects with `Timeout` or `Unavailable` in bounded time, and works again without a
 * restart once the store is back.
 */
export interface Storage {
  /** One key. `revision` is the store's revision at the read (linearizable). */
  get(key: string, signal?: AbortSignal): Promise<{ entry?: StoredEntry; revision: number }>;

  /**
   * The keys that begin with `prefix`, in byte order.
   * @throws Expired when `options.revision` is compacted
   */
  list(prefix: string, options?: StorageListOptions, signal?: AbortSignal): Promise<StorageList>;

  /**
   * Writes `key` if its `modRevision` still is `expectedModRevision` (0: the key must not exist).
   * @throws Timeout when the outcome could not be read back before the deadline either
   */
  put(key: string, value: Buffer, expectedModRevision: number, signal?: AbortSignal): Promise<WriteResult>;

  /** Deletes `key` if its `modRevision` still is `expectedModRevision`. `modRevision` of the result is the deletion's. */
  delete(key: string, expectedModRevision: number, signal?: AbortSignal): Promise<WriteResult>;

  /**
   * All writes to keys below `prefix` with a revision > `afterRevision`, as batches that never split one revision.
   * Also yields empty batches as progress: no further event with a revision <= `revision` will come. Ends when
   * `signal` is aborted; resumes by itself after lost connections.
   * @throws Expired when the position is compacted
   */
  watch(prefix: string, afterRevision: number, signal: AbortSignal): AsyncIterable<StorageEvents>;

  /** Rejects when the store cannot serve a linearizable read within `timeoutMs`. */
  ping(timeoutMs: number): Promise<void>;

  close(): Promise<void>;
}

export interface StoredEntry {
  key: string;
  value: Buffer;
  createRevision: number;
  modRevision: number;
}

export interface StorageListOptions {
  /** Read as of this revision; default: now. */
  revision?: number;
  /** Only keys strictly after this one. */
  after?: string;
  /** At most this many entries; default: all. */
  limit?: number;
}

export interface StorageList {
  entries: StoredEntry[];
  /** The revision that was read. */
  revision: number;
  /** Whether there are more keys below the prefix after the last one. */
  more: boolean;
  /** How many keys there are below the prefix after `after`, those not returned included. */
  count: number;
}

export type WriteResult =
  | { ok: true; modRevision: number }
  /** The condition did not hold; `current` is the entry as it is now, absent when there is none. */
  | { ok: false; current?: StoredEntry; revision: number };

export type StorageEvent =
  | { type: 'put'; entry: StoredEntry }
  | { type: 'delete'; key: string; modRevision: number };

export interface StorageEvents {
  revision: number;
  events: StorageEvent[];
}

/** `details` of an error of the store that has lost the majority of its members, or is about to choose a leader. */
export interface StoreTrouble {
  trouble: 'NoLeader';
}

/** Whether `error`, or what caused it, says that the store has no leader. */
export function saysNoLeader(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { details } = error as { details?: Partial<StoreTrouble> };
  return details?.trouble === 'NoLeader' || saysNoLeader(error.cause);
}
