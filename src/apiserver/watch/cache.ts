import type { StoredEntry, StorageEvent } from '../../ports/storage.ts';
import type { StoredObject } from '../registry/registry.ts';
import type { ResourceDefinition } from '../resource.ts';
import { isSelected, type Selection, selectsAll } from '../selectors/selection.ts';
import { Change } from './change.ts';
import { differences } from './differences.ts';
import { FieldIndex } from './field-index.ts';
import { ChangeRing } from './ring.ts';
import { SortedKeys } from './sorted-keys.ts';
import { decode } from './stored.ts';
import { Watcher, type WatcherOptions } from './watcher.ts';
import { WatcherIndex } from './watcher-index.ts';

export interface CacheLimits {
  maxChanges: number;
  maxAgeMs: number;
  maxQueued: number;
}

export const DEFAULT_LIMITS: CacheLimits = { maxChanges: 20_000, maxAgeMs: 300_000, maxQueued: 10_000 };

export interface CacheHooks {
  monotonicMs(): number;
  /** A stored value that cannot be read; the object counts as absent. */
  onUnreadable(key: string, error: unknown): void;
  onSlowWatcher(): void;
}

/**
 * All objects of one resource as of the feed's revision (feed.ts), and the watches on them. Everything here is
 * synchronous: between two batches of the feed nobody sees half of one. Objects are shared and never changed.
 */
export class ResourceCache {
  readonly definition: ResourceDefinition;
  /** The keys of this resource begin with it. */
  readonly prefix: string;
  readonly #limits: CacheLimits;
  readonly #hooks: CacheHooks;
  readonly #objects = new Map<string, StoredObject>();
  #keys = new SortedKeys();
  readonly #fields: FieldIndex;
  readonly #ring: ChangeRing;
  readonly #watchers: WatcherIndex;
  readonly #listeners = new Set<(change: Change) => void>();
  #confirmedRevision = 0;

  constructor(definition: ResourceDefinition, prefix: string, limits: CacheLimits, hooks: CacheHooks) {
    this.definition = definition;
    this.prefix = prefix;
    this.#limits = limits;
    this.#hooks = hooks;
    this.#fields = new FieldIndex(definition.selectableFields);
    this.#ring = new ChangeRing(limits);
    this.#watchers = new WatcherIndex(definition.selectableFields);
  }

  get size(): number {
    return this.#objects.size;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  /** The revision at which a read of the store showed the same as this cache; see `confirm`. */
  get confirmedRevision(): number {
    return this.#confirmedRevision;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  /** What is selected, in the store's order. */
  list(selection: Selection): StoredObject[] {
    const below = selection.namespace === undefined ? this.prefix : `${this.prefix}${selection.namespace}/`;
    const takesAll = selectsAll(selection);
    const found: StoredObject[] = [];
    for (const key of this.#fields.candidates(selection.fields) ?? this.#keys.below(below)) {
      const stored = this.#objects.get(key) as StoredObject;
      if (takesAll || isSelected(selection, stored.object)) found.push(stored);
    }
    return found;
  }

  /** Called for each change, in order, also for those that a re-list finds. */
  listen(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The changes after `revision`; undefined when it is too old. */
  changesAfter(revision: number): Change[] | undefined {
    return this.#ring.after(revision);
  }

  /** Watches can begin at this revision or later. */
  get oldestRevision(): number {
    return this.#ring.start;
  }

  /** Must be called in the same turn as the read that `initial` comes from, so that no change falls between. */
  watch(options: Omit<WatcherOptions, 'maxQueued'>): Watcher {
    const watcher: Watcher = new Watcher({
      ...options,
      maxQueued: this.#limits.maxQueued,
      onEnd: (isSlow) => {
        this.#watchers.remove(watcher);
        if (isSlow) this.#hooks.onSlowWatcher();
        options.onEnd(isSlow);
      },
    });
    this.#watchers.add(watcher);
    return watcher;
  }

  /** One change of the store. */
  apply(event: StorageEvent): void {
    if (event.type === 'put')
      this.#record(event.entry.key, event.entry.modRevision, this.#decode(event.entry));
    else this.#record(event.key, event.modRevision, undefined);
  }

  /**
   * Everything anew, as of `revision`, after a gap that cannot be filled. Live watchers and listeners get the difference;
   * who was cut off in the middle of it has to list again, since from now on watches can begin only at `revision`.
   */
  replace(entries: readonly StoredEntry[], revision: number): void {
    const decodeEntry = (entry: StoredEntry): StoredObject | undefined => this.#decode(entry);
    for (const { key, revision: at, after } of differences(this.#objects, entries, revision, decodeEntry)) {
      this.#record(key, at, after);
    }
    this.#ring.reset(revision);
    this.#confirmedRevision = 0;
  }

  /**
   * A read of the store at `revision` showed `entries`. When the cache shows the same it is as good as at that revision,
   * even though the feed has not come so far: writes outside of the feed's keys move the store's revision too.
   */
  confirm(entries: readonly StoredEntry[], revision: number): void {
    const isSame =
      entries.length === this.#objects.size &&
      entries.every(({ key, modRevision }) => this.#objects.get(key)?.resourceVersion === modRevision);
    if (isSame) this.#confirmedRevision = Math.max(this.#confirmedRevision, revision);
  }

  bookmark(revision: number): void {
    for (const watcher of this.#watchers.all()) watcher.bookmark(revision);
    this.#ring.dropOlderThan(this.#hooks.monotonicMs() - this.#limits.maxAgeMs);
  }

  endWatches(): void {
    for (const watcher of this.#watchers.all()) watcher.end();
  }

  #decode({ key, value, modRevision }: StoredEntry): StoredObject | undefined {
    try {
      return decode(value, modRevision);
    } catch (error) {
      this.#hooks.onUnreadable(key, error);
      return undefined;
    }
  }

  #record(key: string, revision: number, after: StoredObject | undefined): void {
    const before = this.#objects.get(key);
    if (before === undefined && after === undefined) return;
    if (after === undefined) {
      this.#objects.delete(key);
      this.#keys.remove(key);
    } else {
      this.#objects.set(key, after);
      if (before === undefined) this.#keys.add(key);
    }
    const change = new Change(key, revision, before, after, this.#hooks.monotonicMs());
    this.#fields.apply(change);
    this.#ring.push(change);
    for (const watcher of this.#watchers.concerned(change)) watcher.offer(change);
    for (const listener of this.#listeners) listener(change);
  }
}
