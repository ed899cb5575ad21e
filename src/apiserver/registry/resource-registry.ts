import type { KubeObject } from '../../crds/object.ts';
import type { Clock } from '../../ports/clock.ts';
import type { AdmissionRule } from '../admission/admission.ts';
import { applyPatch } from '../patch/patch.ts';
import type { ResourceDefinition } from '../resource.ts';
import { ApiError, methodNotSupported, noSuchPath } from '../status.ts';
import { generateName } from './generate-name.ts';
import { takeIn } from './intake.ts';
import type { Reader } from './reader.ts';
import { type Changed, PERSISTENT_ATTEMPTS, type Records } from './records.ts';
import type {
  Call,
  DeleteOptions,
  ListQuery,
  ObjectName,
  PatchBody,
  Registry,
  StoredEvent,
  StoredList,
  StoredObject,
  WatchQuery,
  WriteOptions,
} from './registry.ts';
import {
  changedObject,
  checkName,
  checkNamespace,
  deletionOf,
  newObject,
  unconditional,
} from './strategy.ts';
import type { Watches } from './watches.ts';

/** Names that were made up are made up anew when they are taken. */
const MAX_NAME_ATTEMPTS = 8;
/** How many objects a deletecollection deletes at a time. */
const DELETE_WORKERS = 8;

export interface ResourceRegistryOptions {
  definition: ResourceDefinition;
  reader: Reader;
  watches: Watches;
  records: Records;
  clock: Clock;
  rules: readonly AdmissionRule[];
}

/** The registry of one resource; see registry.ts. What becomes of an object is decided in strategy.ts. */
export class ResourceRegistry implements Registry {
  readonly definition: ResourceDefinition;
  readonly #options: ResourceRegistryOptions;

  constructor(options: ResourceRegistryOptions) {
    this.definition = options.definition;
    this.#options = options;
  }

  get(name: ObjectName, resourceVersion: string | undefined, call: Call): Promise<StoredObject> {
    return this.#options.reader.get(name, resourceVersion, call);
  }

  list(query: ListQuery, call: Call): Promise<StoredList> {
    return this.#options.reader.list(query, call);
  }

  watch(query: WatchQuery, call: Call): Promise<AsyncIterable<StoredEvent>> {
    return this.#options.watches.start(query, call);
  }

  async create(
    namespace: string | undefined,
    body: KubeObject,
    options: WriteOptions,
    call: Call,
  ): Promise<StoredObject> {
    this.#requireVerb('create', options);
    const taken = takeIn(this.definition, body, options, call);
    checkNamespace(namespace, taken.metadata);
    const prefix = taken.metadata.generateName ?? '';
    const isGenerated = (taken.metadata.name ?? '') === '' && prefix !== '';
    for (let attempt = 1; ; attempt++) {
      const metadata = isGenerated ? { ...taken.metadata, name: generateName(prefix) } : taken.metadata;
      try {
        return await this.#createNamed(namespace, { ...taken, metadata }, options, call);
      } catch (error) {
        const isTaken = error instanceof ApiError && error.status.reason === 'AlreadyExists';
        if (!isGenerated || !isTaken || attempt >= MAX_NAME_ATTEMPTS) throw error;
      }
    }
  }

  async #createNamed(
    namespace: string | undefined,
    taken: KubeObject,
    options: WriteOptions,
    call: Call,
  ): Promise<StoredObject> {
    const { clock, records, rules } = this.#options;
    const { definition } = this;
    const name = { name: taken.metadata.name, ...(namespace === undefined ? {} : { namespace }) };
    for (const rule of rules) await rule.beforeCreate?.({ definition, name, object: taken, options, call });
    const stamped = definition.stamp?.(taken, call.user) ?? taken;
    const object = newObject(definition, namespace, stamped, clock.nowMs());
    return records.create(name, object, { dryRun: options.dryRun, signal: call.signal });
  }

  async update(name: ObjectName, body: KubeObject, options: WriteOptions, call: Call): Promise<StoredObject> {
    this.#requireVerb('update', options);
    checkName(name, body);
    const taken = takeIn(this.definition, body, options, call);
    const isConditional = (taken.metadata.resourceVersion ?? '') !== '';
    if (!isConditional && this.definition.allowsUnconditionalUpdate !== true) {
      // What is not there is missing whatever else is wrong: 404 comes first.
      await this.#options.records.read(name, call.signal);
      throw unconditional(this.definition, name.name);
    }
    return this.#change(name, options, call, () => taken);
  }

  patch(name: ObjectName, patch: PatchBody, options: WriteOptions, call: Call): Promise<StoredObject> {
    this.#requireVerb('patch', options);
    const quoted = JSON.stringify(patch.body);
    const once = warningOnce(call);
    return this.#change(name, options, call, (current) => {
      const patched = applyPatch(this.definition, current.object, patch);
      checkName(name, patched);
      return takeIn(this.definition, patched, options, once, quoted);
    });
  }

  async #change(
    name: ObjectName,
    options: WriteOptions,
    call: Call,
    bodyFrom: (current: StoredObject) => KubeObject,
  ): Promise<StoredObject> {
    const change = (current: StoredObject): Changed =>
      changedObject(this.definition, current.object, bodyFrom(current), options.subresource);
    const { stored } = await this.#options.records.change(name, change, {
      dryRun: options.dryRun,
      signal: call.signal,
    });
    return stored;
  }

  async delete(
    name: ObjectName,
    options: DeleteOptions,
    call: Call,
  ): Promise<{ object: StoredObject; finished: boolean }> {
    const { records, clock, rules } = this.#options;
    const { definition } = this;
    const current = await records.read(name, call.signal);
    for (const rule of rules) await rule.beforeDelete?.({ definition, name, current, call });
    const change = ({ object }: StoredObject): Changed => {
      const deletion = deletionOf(definition, object, options, clock.nowMs());
      if (deletion.do === 'remove') return undefined;
      return deletion.do === 'mark' ? deletion.object : object;
    };
    const { dryRun } = options;
    const { stored, isGone } = await records.change(name, change, {
      dryRun,
      signal: call.signal,
      current,
      attempts: PERSISTENT_ATTEMPTS,
    });
    return { object: stored, finished: isGone };
  }

  async deleteCollection(query: ListQuery, options: DeleteOptions, call: Call): Promise<StoredList> {
    const found = await this.list(query, call);
    const waiting = [...found.items];
    const deleted: StoredObject[] = [];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const object = await this.#deleteIfThere(next, options, call);
        if (object !== undefined) deleted.push(object);
      }
    };
    await Promise.all(Array.from({ length: DELETE_WORKERS }, work));
    return { ...found, items: deleted };
  }

  async #deleteIfThere(
    { object: { metadata } }: StoredObject,
    options: DeleteOptions,
    call: Call,
  ): Promise<StoredObject | undefined> {
    const { name, namespace } = metadata;
    try {
      const target = namespace === undefined ? { name } : { name, namespace };
      return (await this.delete(target, options, call)).object;
    } catch (error) {
      if (error instanceof ApiError && error.status.reason === 'NotFound') return undefined;
      throw error;
    }
  }

  /**
   * A change that the API server makes itself (garbage collection, the end of a namespace), past the rules for clients.
   * @param change pure; returns its argument when there is nothing to do
   * @returns the object afterwards; undefined when there is none (any more)
   */
  async rewrite(
    name: ObjectName,
    change: (object: KubeObject) => KubeObject,
    signal: AbortSignal,
  ): Promise<StoredObject | undefined> {
    try {
      const options = { dryRun: false, signal, attempts: PERSISTENT_ATTEMPTS };
      const { stored, isGone } = await this.#options.records.change(
        name,
        ({ object }) => change(object),
        options,
      );
      return isGone ? undefined : stored;
    } catch (error) {
      if (error instanceof ApiError && error.status.reason === 'NotFound') return undefined;
      throw error;
    }
  }

  #requireVerb(verb: string, { subresource }: WriteOptions): void {
    if (subresource === 'status' && !this.definition.hasStatus) throw noSuchPath();
    if (subresource === 'approval' && this.definition.hasApproval !== true) throw noSuchPath();
    if (this.definition.unsupportedVerbs?.includes(verb) === true)
      throw methodNotSupported(this.definition, verb);
  }
}

/** A patch may be worked out several times; its warnings are given once. */
function warningOnce(call: Call): Call {
  const told = new Set<string>();
  const warn = (message: string): void => {
    if (!told.has(message)) call.warn(message);
    told.add(message);
  };
  return { ...call, warn };
}
