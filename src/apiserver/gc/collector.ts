import { isEqualJson } from '../schema/value.ts';
import { apiVersionOf, type KubeObject, type OwnerReference } from '../../crds/object.ts';
import type { Clock } from '../../ports/clock.ts';
import { messageOf } from '../../ports/errors.ts';
import type { Logger } from '../../ports/logger.ts';
import { FOREGROUND, ORPHAN } from '../registry/metadata-faults.ts';
import type { DeleteOptions, ObjectName, StoredObject } from '../registry/registry.ts';
import { internalCall, type Served } from '../registry/served.ts';
import { ApiError } from '../status.ts';
import type { Change } from '../watch/change.ts';
import { OwnerIndex, ownersOf } from './owner-index.ts';
import { WorkQueue } from './work-queue.ts';

/**
 * Deletes objects whose owners are gone, and carries out the `orphan` and `foregroundDeletion` finalizers. Level-based:
 * each key is looked at as things are now, however often. The watch caches only say where to look: that an owner is
 * absent is believed of a linearizable read and the uid alone, and every write carries the version that it was decided on,
 * so that several API servers may collect at once.
 */
export interface CollectorOptions {
  served: readonly Served[];
  clock: Clock;
  logger: Logger;
}

const WORKERS = 4;
/** How soon an owner that waits for its dependents looks again, besides their own changes. */
const RECHECK_MS = 5_000;

export class Collector {
  readonly #options: CollectorOptions;
  readonly #index = new OwnerIndex();
  readonly #queue: WorkQueue;
  /** Keys of owners in foreground deletion whose dependents are not gone yet, by uid. */
  readonly #waitingOwners = new Map<string, string>();

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      clock: options.clock,
      workers: WORKERS,
      work: (key, signal) => this.#look(key, signal),
      onFailure: (key, error) =>
        options.logger.warn({ key, err: error }, 'Garbage collection failed; it is tried again'),
    });
    for (const { cache } of options.served) cache.listen((change) => this.#note(change));
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#queue.run(signal);
  }

  #note(change: Change): void {
    this.#index.apply(change);
    const { key, before, after } = change;
    for (const { uid } of ownersOf(before?.object)) this.#wakeOwner(uid);
    if (after === undefined || isAnother(before, after)) {
      const uid = before?.object.metadata.uid;
      for (const dependent of uid === undefined ? [] : this.#index.of(uid)) this.#queue.add(dependent);
    }
    if (after !== undefined && needsLook(before?.object, after.object)) this.#queue.add(key);
  }

  /** An owner in foreground deletion waits for its dependents to go. */
  #wakeOwner(uid: string): void {
    const waiting = this.#waitingOwners.get(uid);
    if (waiting !== undefined) this.#queue.add(waiting);
  }

  async #look(key: string, signal: AbortSignal): Promise<number | void> {
    const served = this.#servedFor(key);
    const cached = served?.cache.get(key);
    if (served === undefined || cached === undefined) return undefined;
    const current = await read(served, nameOf(cached.object), signal);
    if (current === undefined || current.object.metadata.uid !== cached.object.metadata.uid) return undefined;
    const { deletionTimestamp, finalizers = [] } = current.object.metadata;
    if (deletionTimestamp !== undefined) {
      if (finalizers.includes(ORPHAN)) return this.#orphan(served, current, signal);
      if (finalizers.includes(FOREGROUND)) return this.#finishForeground(key, served, current, signal);
      return undefined;
    }
    return this.#collect(served, current, signal);
  }

  /** Deletes the object if all of its owners are gone; drops the references to those that are, if some are not. */
  async #collect(served: Served, current: StoredObject, signal: AbortSignal): Promise<void> {
    const { object } = current;
    const owners = ownersOf(object);
    if (owners.length === 0) return;
    const states = await Promise.all(owners.map((owner) => this.#stateOf(owner, object, signal)));
    const gone = owners.filter((_, index) => states[index] === 'absent');
    const waiting = owners.filter((_, index) => states[index] === 'waiting');
    if (gone.length + waiting.length === 0) return;
    if (states.includes('present')) {
      await this.#dropOwners(served, object, new Set([...gone, ...waiting].map(({ uid }) => uid)), signal);
      return;
    }
    const hasDependents = this.#index.of(object.metadata.uid ?? '').length > 0;
    await remove(served, current, waiting.length > 0 && hasDependents ? 'Foreground' : undefined, signal);
    this.#options.logger.info(
      { kind: object.kind, ...nameOf(object) },
      'An object whose owners are gone is deleted',
    );
  }

  async #stateOf(
    owner: OwnerReference,
    dependent: KubeObject,
    signal: AbortSignal,
  ): Promise<'present' | 'absent' | 'waiting'> {
    const served = this.#options.served.find(
      ({ definition }) => apiVersionOf(definition) === owner.apiVersion && definition.kind === owner.kind,
    );
    // A kind that is not served says nothing about its objects.
    if (served === undefined) return 'present';
    const { namespace } = dependent.metadata;
    if (served.definition.namespaced && namespace === undefined) return 'present';
    const name = served.definition.namespaced && namespace !== undefined ? { namespace } : {};
    const current = await read(served, { ...name, name: owner.name }, signal);
    if (current === undefined || current.object.metadata.uid !== owner.uid) return 'absent';
    const { deletionTimestamp, finalizers = [] } = current.object.metadata;
    return deletionTimestamp !== undefined && finalizers.includes(FOREGROUND) ? 'waiting' : 'present';
  }

  async #dropOwners(
    served: Served,
    { metadata }: KubeObject,
    uids: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<void> {
    await served.registry.rewrite(
      nameOf({ metadata }),
      (object) => {
        if (object.metadata.uid !== metadata.uid) return object;
        const kept = ownersOf(object).filter(({ uid }) => !uids.has(uid));
        if (kept.length === ownersOf(object).length) return object;
        const { ownerReferences: _, ...rest } = object.metadata;
        return { ...object, metadata: kept.length === 0 ? rest : { ...rest, ownerReferences: kept } };
      },
      signal,
    );
  }

  /** The dependents forget their owner; then the owner may go. */
  async #orphan(served: Served, owner: StoredObject, signal: AbortSignal): Promise<void> {
    const { uid = '' } = owner.object.metadata;
    for (const { served: theirs, stored } of await this.#dependentsOf(uid, signal)) {
      await this.#dropOwners(theirs, stored.object, new Set([uid]), signal);
    }
    await dropFinalizer(served, owner.object, ORPHAN, signal);
  }

  /** The dependents that block go first; then the owner may go. */
  async #finishForeground(
    key: string,
    served: Served,
    owner: StoredObject,
    signal: AbortSignal,
  ): Promise<number | void> {
    const { uid = '' } = owner.object.metadata;
    const dependents = await this.#dependentsOf(uid, signal);
    const blocking = dependents.filter(({ stored }) =>
      ownersOf(stored.object).some(
        (reference) => reference.uid === uid && reference.blockOwnerDeletion === true,
      ),
    );
    for (const { stored, served: theirs } of dependents) this.#queue.add(keyIn(theirs, stored));
    if (blocking.length > 0) {
      this.#waitingOwners.set(uid, key);
      return RECHECK_MS;
    }
    this.#waitingOwners.delete(uid);
    await dropFinalizer(served, owner.object, FOREGROUND, signal);
    return undefined;
  }

  /** With the caches brought to the present first, so that a dependent made just now is not overlooked. */
  async #dependentsOf(uid: string, signal: AbortSignal): Promise<{ served: Served; stored: StoredObject }[]> {
    for (const { reader } of this.#options.served) await reader.catchUp(signal);
    return this.#index.of(uid).flatMap((key) => {
      const served = this.#servedFor(key);
      const stored = served?.cache.get(key);
      return served === undefined || stored === undefined ? [] : [{ served, stored }];
    });
  }

  #servedFor(key: string): Served | undefined {
    return this.#options.served.find(({ cache }) => key.startsWith(cache.prefix));
  }
}

/** Only what is new in an object is worth the reads: its owners, or that it is being deleted. */
function needsLook(before: KubeObject | undefined, after: KubeObject): boolean {
  const { deletionTimestamp, finalizers = [] } = after.metadata;
  if (deletionTimestamp !== undefined) return finalizers.includes(ORPHAN) || finalizers.includes(FOREGROUND);
  return ownersOf(after).length > 0 && !isEqualJson(ownersOf(before), ownersOf(after));
}

const isAnother = (before: StoredObject | undefined, after: StoredObject): boolean =>
  before !== undefined && before.object.metadata.uid !== after.object.metadata.uid;

function nameOf({ metadata: { name, namespace } }: Pick<KubeObject, 'metadata'>): ObjectName {
  return namespace === undefined ? { name } : { name, namespace };
}

const keyIn = ({ cache }: Served, { object: { metadata } }: StoredObject): string =>
  cache.prefix +
  (metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`);

/** @returns undefined only when the store said that there is none */
async function read(
  served: Served,
  name: ObjectName,
  signal: AbortSignal,
): Promise<StoredObject | undefined> {
  try {
    return await served.registry.get(name, undefined, internalCall('garbage-collector', signal));
  } catch (error) {
    if (error instanceof ApiError && error.status.reason === 'NotFound') return undefined;
    throw error;
  }
}

async function remove(
  served: Served,
  { object }: StoredObject,
  policy: DeleteOptions['propagationPolicy'],
  signal: AbortSignal,
): Promise<void> {
  const { uid, resourceVersion } = object.metadata;
  const preconditions = {
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  const options: DeleteOptions = {
    dryRun: false,
    preconditions,
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
  };
  try {
    await served.registry.delete(nameOf(object), options, internalCall('garbage-collector', signal));
  } catch (error) {
    if (error instanceof ApiError && error.status.reason === 'NotFound') return;
    throw new Error(`Cannot delete ${object.kind} ${object.metadata.name}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function dropFinalizer(
  served: Served,
  owner: KubeObject,
  finalizer: string,
  signal: AbortSignal,
): Promise<void> {
  await served.registry.rewrite(
    nameOf(owner),
    (object) => {
      const { finalizers = [], uid } = object.metadata;
      if (uid !== owner.metadata.uid || !finalizers.includes(finalizer)) return object;
      const kept = finalizers.filter((held) => held !== finalizer);
      const { finalizers: _, ...rest } = object.metadata;
      return { ...object, metadata: kept.length === 0 ? rest : { ...rest, finalizers: kept } };
    },
    signal,
  );
}
