import type { Storage, StoredEntry } from '../../ports/storage.ts';
import type { KubeObject } from '../../crds/object.ts';
import type { ResourceDefinition } from '../resource.ts';
import { ApiError, alreadyExists, conflict, notFound } from '../status.ts';
import type { ResourceCache } from '../watch/cache.ts';
import { decode, encode, versionOf } from '../watch/stored.ts';
import { keyBelow } from './keys.ts';
import type { ObjectName, StoredObject } from './registry.ts';
import { throwingApiErrors } from './storage-faults.ts';
import { isReleased } from './strategy.ts';

/** How often a change is worked out anew when others wrote in between, before the client is told. */
const MAX_ATTEMPTS = 6;
/** For changes that are right whatever the others write (deletions): as good as for ever, but never for ever. */
export const PERSISTENT_ATTEMPTS = 100;

export interface RecordsOptions {
  definition: ResourceDefinition;
  storage: Storage;
  cache: ResourceCache;
}

export interface ChangeOptions {
  dryRun: boolean;
  signal: AbortSignal;
  /** A fresh version of the object, if the caller has just read one. */
  current?: StoredObject;
  /** @defaultValue 6 */
  attempts?: number;
}

/** What a change makes of the version it is given: another object, the same (nothing is written), or none (it is removed). */
export type Changed = KubeObject | undefined;

/**
 * The objects of one resource in the store, one at a time. Each write is conditional on the version that it was worked
 * out from, so that of two writers never both win. The watch cache serves as a first guess that spares a read: an outcome
 * other than a write is only believed when it comes from a fresh read.
 */
export class Records {
  readonly #options: RecordsOptions;

  constructor(options: RecordsOptions) {
    this.#options = options;
  }

  keyOf(name: ObjectName): string {
    return keyBelow(this.#options.cache.prefix, name);
  }

  /** Linearizable. @throws ApiError 404 */
  async read(name: ObjectName, signal: AbortSignal): Promise<StoredObject> {
    const { entry } = await throwingApiErrors(this.#options.storage.get(this.keyOf(name), signal));
    if (entry === undefined) throw notFound(this.#options.definition, name.name);
    return this.decode(entry);
  }

  /** The version of an entry; that of the cache if it is the same, since it may be serialised already. */
  decode({ key, value, modRevision }: StoredEntry): StoredObject {
    const cached = this.#options.cache.get(key);
    return cached?.resourceVersion === modRevision ? cached : decode(value, modRevision);
  }

  /** @throws ApiError 409 AlreadyExists */
  async create(
    name: ObjectName,
    object: KubeObject,
    { dryRun, signal }: ChangeOptions,
  ): Promise<StoredObject> {
    const { storage } = this.#options;
    const key = this.keyOf(name);
    if (dryRun) {
      const { entry } = await throwingApiErrors(storage.get(key, signal));
      if (entry !== undefined) throw this.#exists(name, entry);
      return versionOf(object, 0);
    }
    const written = await throwingApiErrors(storage.put(key, encode(object), 0, signal));
    if (!written.ok) throw this.#exists(name, written.current);
    return versionOf(object, written.modRevision);
  }

  /**
   * Changes an object by `change`, which is pure and may be called several times, with a newer version each time.
   * @returns the object afterwards; `isGone` when it was removed, by `change` or because nothing holds it any more
   * @throws what `change` throws; ApiError 404; 409 when others kept writing in between
   */
  async change(
    name: ObjectName,
    change: (current: StoredObject) => Changed,
    options: ChangeOptions,
  ): Promise<{ stored: StoredObject; isGone: boolean }> {
    let current = options.current ?? this.#options.cache.get(this.keyOf(name));
    let isFresh = options.current !== undefined || current === undefined;
    current ??= await this.read(name, options.signal);
    const attempts = options.attempts ?? MAX_ATTEMPTS;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const next = attemptChange(change, current, isFresh);
      if (next === STALE) {
        current = await this.read(name, options.signal);
        isFresh = true;
        continue;
      }
      if (next === current.object) return { stored: current, isGone: false };
      const outcome = await this.#write(name, current, next, options);
      if (outcome.done) return outcome;
      if (outcome.current === undefined) throw notFound(this.#options.definition, name.name);
      current = this.decode(outcome.current);
      isFresh = true;
    }
    throw conflict(
      this.#options.definition,
      name.name,
      'the object has been modified; please apply your changes to the latest version and try again',
    );
  }

  async #write(
    name: ObjectName,
    current: StoredObject,
    next: Changed,
    { dryRun, signal }: ChangeOptions,
  ): Promise<{ done: true; stored: StoredObject; isGone: boolean } | { done: false; current?: StoredEntry }> {
    const { storage, definition } = this.#options;
    const { resourceVersion } = current;
    const object = next ?? current.object;
    const isGone = next === undefined || isReleased(definition, next);
    if (dryRun) return { done: true, stored: versionOf(object, resourceVersion), isGone };
    const key = this.keyOf(name);
    const written = await throwingApiErrors(
      isGone
        ? storage.delete(key, resourceVersion, signal)
        : storage.put(key, encode(object), resourceVersion, signal),
    );
    if (written.ok) return { done: true, stored: versionOf(object, written.modRevision), isGone };
    return { done: false, ...(written.current === undefined ? {} : { current: written.current }) };
  }

  #exists(name: ObjectName, entry: StoredEntry | undefined): ApiError {
    const error = alreadyExists(this.#options.definition, name.name);
    if (entry === undefined || this.decode(entry).object.metadata.deletionTimestamp === undefined)
      return error;
    return new ApiError(
      409,
      'AlreadyExists',
      `object is being deleted: ${error.message}`,
      error.status.details,
    );
  }
}

const STALE = Symbol('the outcome comes from a version that may be old');

/** A refusal or 'nothing to do' that was worked out from the cache may be out of date. */
function attemptChange(
  change: (current: StoredObject) => Changed,
  current: StoredObject,
  isFresh: boolean,
): Changed | typeof STALE {
  try {
    const next = change(current);
    return next === current.object && !isFresh ? STALE : next;
  } catch (error) {
    if (isFresh) throw error;
    return STALE;
  }
}
