import { setImmediate as turn } from 'node:timers/promises';
import { HostlerError } from '../../src/ports/errors.ts';
import type {
  Storage,
  StorageEvent,
  StorageEvents,
  StorageList,
  StorageListOptions,
  StoredEntry,
  WriteResult,
} from '../../src/ports/storage.ts';

/** A Storage in memory; the contract suite that etcd passes holds for it too. */
export interface FakeStorage extends Storage {
  /** Forgets what happened up to `revision`, as etcd's compaction does. */
  compact(revision: number): void;
  /** While set, every call (but not a running watch) rejects with it. */
  failWith(error: HostlerError | undefined): void;
  /** How many watches are running. */
  watchers(): number;
}

interface Change {
  revision: number;
  event: StorageEvent;
}

export function createFakeStorage(): FakeStorage {
  return new InMemoryStorage();
}

class InMemoryStorage implements FakeStorage {
  #revision = 1;
  #compacted = 0;
  #entries = new Map<string, StoredEntry>();
  readonly #changes: Change[] = [];
  readonly #wakers = new Set<() => void>();
  #failure: HostlerError | undefined;
  #isClosed = false;
  #watchers = 0;

  async get(key: string, signal?: AbortSignal): Promise<{ entry?: StoredEntry; revision: number }> {
    await this.#enter(signal);
    const entry = this.#entries.get(key);
    return { ...(entry && { entry: { ...entry } }), revision: this.#revision };
  }

  async list(prefix: string, options: StorageListOptions = {}, signal?: AbortSignal): Promise<StorageList> {
    await this.#enter(signal);
    const revision = options.revision ?? this.#revision;
    if (revision < this.#compacted) throw new HostlerError('Expired', `Revision ${revision} is compacted`);
    if (revision > this.#revision) throw new HostlerError('Invalid', `Revision ${revision} is in the future`);
    const { after, limit } = options;
    const all = [...this.#entriesAt(revision).values()]
      .filter(
        (entry) => entry.key.startsWith(prefix) && (after === undefined || byBytes(entry.key, after) > 0),
      )
      .sort((a, b) => byBytes(a.key, b.key));
    const entries = all.slice(0, limit).map((entry) => ({ ...entry }));
    return { entries, revision, more: entries.length < all.length, count: all.length };
  }

  async put(key: string, value: Buffer, expected: number, signal?: AbortSignal): Promise<WriteResult> {
    await this.#enter(signal);
    requireRevision(expected, 0);
    const current = this.#entries.get(key);
    if ((current?.modRevision ?? 0) !== expected) return this.#refused(current);
    const modRevision = ++this.#revision;
    const createRevision = current?.createRevision ?? modRevision;
    const entry = { key, value: Buffer.from(value), createRevision, modRevision };
    this.#entries.set(key, entry);
    this.#record({ type: 'put', entry }, modRevision);
    return { ok: true, modRevision };
  }

  async delete(key: string, expected: number, signal?: AbortSignal): Promise<WriteResult> {
    await this.#enter(signal);
    requireRevision(expected, 1);
    const current = this.#entries.get(key);
    if (current?.modRevision !== expected) return this.#refused(current);
    const modRevision = ++this.#revision;
    this.#entries.delete(key);
    this.#record({ type: 'delete', key, modRevision }, modRevision);
    return { ok: true, modRevision };
  }

  async *watch(prefix: string, afterRevision: number, signal: AbortSignal): AsyncGenerator<StorageEvents> {
    let position = afterRevision;
    const isGone = (): boolean => signal.aborted || this.#isClosed;
    this.#watchers++;
    try {
      while (!isGone()) {
        if (position < this.#compacted && position < this.#revision) {
          throw new HostlerError('Expired', `Cannot watch ${prefix}: revision ${position} is compacted`);
        }
        if (position > this.#revision) {
          throw new HostlerError('Expired', `The store is at revision ${this.#revision}, before ${position}`);
        }
        const batch = this.#next(prefix, position);
        if (batch) {
          position = batch.revision;
          yield batch;
        } else {
          await this.#changed(signal);
        }
      }
    } finally {
      this.#watchers--;
    }
  }

  async ping(): Promise<void> {
    await this.#enter(undefined);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    return Promise.resolve();
  }

  compact(revision: number): void {
    this.#compacted = revision;
  }

  failWith(error: HostlerError | undefined): void {
    this.#failure = error;
  }

  watchers(): number {
    return this.#watchers;
  }

  /** The next revision with an event below `prefix`; without one, progress to the present. */
  #next(prefix: string, position: number): StorageEvents | undefined {
    if (position >= this.#revision) return undefined;
    const changes = this.#changes.slice(this.#indexAfter(position));
    const first = changes.find(({ event }) => keyOf(event).startsWith(prefix));
    return first
      ? { revision: first.revision, events: [copyOf(first.event)] }
      : { revision: this.#revision, events: [] };
  }

  #indexAfter(position: number): number {
    let low = 0;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#changes[middle]?.revision ?? 0) <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wakers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#wakers.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #entriesAt(revision: number): Map<string, StoredEntry> {
    if (revision === this.#revision) return this.#entries;
    const entries = new Map<string, StoredEntry>();
    for (const { revision: at, event } of this.#changes) {
      if (at > revision) break;
      if (event.type === 'put') entries.set(event.entry.key, event.entry);
      else entries.delete(event.key);
    }
    return entries;
  }

  #record(event: StorageEvent, revision: number): void {
    this.#changes.push({ revision, event });
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
  }

  #refused(current: StoredEntry | undefined): WriteResult {
    return { ok: false, ...(current && { current: { ...current } }), revision: this.#revision };
  }

  /** Every call takes a turn, so that callers cannot rely on an answer at once. */
  async #enter(signal: AbortSignal | undefined): Promise<void> {
    await turn();
    if (signal?.aborted || this.#isClosed) throw new HostlerError('Aborted', 'The call was aborted');
    if (this.#failure) throw this.#failure;
  }
}

function requireRevision(revision: number, least: number): void {
  if (Number.isSafeInteger(revision) && revision >= least) return;
  throw new HostlerError('Invalid', `${revision} is no revision`);
}

function keyOf(event: StorageEvent): string {
  return event.type === 'put' ? event.entry.key : event.key;
}

function copyOf(event: StorageEvent): StorageEvent {
  return event.type === 'put' ? { type: 'put', entry: { ...event.entry } } : { ...event };
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
