import { certificateSigningRequestRef } from '../../src/crds/certificate-signing-request.ts';
import { kinds } from '../../src/crds/kinds.ts';
import { type KubeObject, type ResourceRef, apiVersionOf, keyOf } from '../../src/crds/object.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { HostlerError } from '../../src/ports/errors.ts';
import type {
  DeletePreconditions,
  ListOptions,
  MergePatch,
  ObjectKey,
  ObjectList,
  ObjectStore,
  WatchOptions,
} from '../../src/ports/object-store.ts';
import { isSameJson } from '../../src/reconcile/same-json.ts';
import { type FaultControl, type FakeCall, createFaults, type Faults } from './object-store-faults.ts';
import { createHistory, type History } from './object-store-history.ts';
import { fieldMatcher, labelMatcher } from './selectors.ts';

export type { FakeCall, Faults } from './object-store-faults.ts';

/**
 * The Kubernetes API in memory: conditional writes, generations, finalizers, status apart from the rest, selectors,
 * watches that resume. test/contract/object-store runs one suite over it and over the real API server. What the API
 * server *fills in or refuses by schema* it does not do, besides each kind's `validate`.
 */
export interface FakeObjectStore extends ObjectStore {
  readonly faults: Faults;
  /** Puts objects there as they are, status included; uid, generation and resourceVersion are added where absent. */
  seed(...objects: readonly KubeObject[]): void;
  /** What is there now, whatever the faults; sorted by key. */
  all<T extends KubeObject>(ref: ResourceRef): T[];
  /** Every call so far, in order. */
  readonly calls: FakeCall[];
  /** The calls that write, those that changed nothing included: empty after a second pass. */
  writes(): FakeCall[];
}

const builtins: Record<string, ResourceRef> = Object.fromEntries(
  [
    { group: '', version: 'v1', kind: 'Namespace', resource: 'namespaces', namespaced: false },
    { group: '', version: 'v1', kind: 'Event', resource: 'events', namespaced: true },
    { group: '', version: 'v1', kind: 'ConfigMap', resource: 'configmaps', namespaced: true },
    { group: '', version: 'v1', kind: 'Secret', resource: 'secrets', namespaced: true },
    certificateSigningRequestRef,
    { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease', resource: 'leases', namespaced: true },
  ].map((ref) => [ref.kind, ref]),
);
const EVENT_FIELDS = [
  'involvedObject.kind',
  'involvedObject.name',
  'involvedObject.namespace',
  'reason',
  'type',
];

type Table = Map<string, KubeObject>;
type StatusObject = KubeObject & { status?: object; spec?: unknown };

export function createFakeObjectStore(clock: Clock): FakeObjectStore {
  const state: State = {
    clock,
    tables: new Map(),
    history: createHistory(clock),
    control: createFaults(() => state.history),
    lastUid: 0,
  };
  const { control } = state;
  return {
    faults: control.faults,
    calls: control.calls,
    writes: () => control.calls.filter(({ verb }) => !['get', 'list', 'watch'].includes(verb)),
    seed(...objects) {
      for (const object of objects) seedOne(state, object);
    },
    all: <T extends KubeObject>(ref: ResourceRef) =>
      [...tableOf(state, ref).entries()].sort(byKey).map(([, object]) => structuredClone(object) as T),
    get: <T extends KubeObject>(ref: ResourceRef, key: ObjectKey, signal: AbortSignal) =>
      control.run({ verb: 'get', ref, key: keyText(ref, key) }, signal, () =>
        structuredClone(readTable(state, ref).get(keyText(ref, key)) as T | undefined),
      ),
    list: <T extends KubeObject>(ref: ResourceRef, options: ListOptions, signal: AbortSignal) =>
      control.run({ verb: 'list', ref, key: '' }, signal, () => listPage<T>(state, ref, options)),
    async *watch<T extends KubeObject>(ref: ResourceRef, options: WatchOptions, signal: AbortSignal) {
      await control.run({ verb: 'watch', ref, key: '' }, signal, () => {});
      yield* state.history.watch<T>(ref, options, matcherOf(ref, options), signal);
    },
    create: (ref, object, signal) =>
      control.run({ verb: 'create', ref, key: keyOf(object) }, signal, () => create(state, ref, object)),
    update: (ref, object, signal) =>
      control.run({ verb: 'update', ref, key: keyOf(object) }, signal, () =>
        replace(state, ref, object, undefined),
      ),
    updateStatus: (ref, object, signal) =>
      control.run({ verb: 'updateStatus', ref, key: keyOf(object) }, signal, () =>
        replace(state, ref, object, 'status'),
      ),
    mergePatch: <T extends KubeObject>(
      ref: ResourceRef,
      key: ObjectKey,
      patch: MergePatch,
      signal: AbortSignal,
    ) =>
      control.run({ verb: 'patch', ref, key: keyText(ref, key) }, signal, () => {
        const old = existing(state, ref, keyText(ref, key));
        const merged = mergeJson(old, patch.body) as T;
        return replace(state, ref, merged, patch.subresource);
      }),
    delete: (ref, key, preconditions, signal) =>
      control.run({ verb: 'delete', ref, key: keyText(ref, key) }, signal, () =>
        remove(state, ref, keyText(ref, key), preconditions),
      ),
  };
}

interface State {
  clock: Clock;
  tables: Map<string, Table>;
  history: History;
  control: FaultControl;
  lastUid: number;
}

function tableOf({ tables }: State, ref: ResourceRef): Table {
  const id = `${ref.group}/${ref.resource}`;
  const table = tables.get(id) ?? new Map<string, KubeObject>();
  tables.set(id, table);
  return table;
}

/** What reads see: as it was when `freezeReads` was called, while that holds. */
function readTable(state: State, ref: ResourceRef): Table {
  const at = state.control.readsAsOf();
  return at === undefined ? tableOf(state, ref) : state.history.tableAt(ref, at);
}

function listPage<T extends KubeObject>(state: State, ref: ResourceRef, options: ListOptions): ObjectList<T> {
  const { revision, after } = options.continue
    ? (JSON.parse(options.continue) as { revision: number; after: string })
    : { revision: state.control.readsAsOf() ?? state.history.revision(), after: '' };
  if (revision < state.history.compactedAt()) throw new HostlerError('Expired', 'too old resource version');
  const matches = matcherOf(ref, options);
  const found = [...state.history.tableAt(ref, revision).entries()]
    .sort(byKey)
    .filter(([key, object]) => key > after && matches(object));
  const page = found.slice(0, options.limit ?? found.length);
  const last = page.at(-1);
  const more = page.length < found.length && last ? JSON.stringify({ revision, after: last[0] }) : undefined;
  return {
    items: page.map(([, object]) => structuredClone(object) as T),
    resourceVersion: String(revision),
    ...(more === undefined ? {} : { continue: more }),
  };
}

function create<T extends KubeObject>(state: State, ref: ResourceRef, body: T): T {
  const { deletionTimestamp: _, resourceVersion, ...metadata } = structuredClone(body.metadata);
  if (resourceVersion)
    throw new HostlerError('Invalid', 'resourceVersion should not be set on objects to be created');
  if (!metadata.name && metadata.generateName) metadata.name = `${metadata.generateName}${state.lastUid + 1}`;
  const object: StatusObject = { ...structuredClone(body), metadata };
  if (hasStatus(ref)) delete object.status;
  const key = keyText(ref, metadata);
  if (tableOf(state, ref).has(key))
    throw new HostlerError('AlreadyExists', `${about(ref, key)} already exists`);
  validate(ref, object, undefined);
  Object.assign(metadata, {
    uid: `uid-${++state.lastUid}`,
    creationTimestamp: stamp(state.clock),
    ...(hasStatus(ref) ? { generation: 1 } : {}),
  });
  return store(state, ref, 'ADDED', object) as T;
}

function replace<T extends KubeObject>(
  state: State,
  ref: ResourceRef,
  body: T,
  part: 'status' | undefined,
): T {
  const key = keyText(ref, body.metadata);
  const old: StatusObject = existing(state, ref, key);
  const { resourceVersion, uid } = body.metadata;
  if (!resourceVersion) {
    throw new HostlerError(
      'Invalid',
      `${about(ref, key)}: metadata.resourceVersion: must be specified for an update`,
    );
  }
  if (resourceVersion !== old.metadata.resourceVersion || (uid !== undefined && uid !== old.metadata.uid)) {
    throw new HostlerError('Conflict', `${about(ref, key)}: the object has been modified`);
  }
  const next = part === 'status' ? withStatus(ref, old, body) : withoutStatus(ref, old, body);
  if (isSameJson(next, old)) return structuredClone(old) as unknown as T;
  validate(ref, next, old);
  const isGone = next.metadata.deletionTimestamp !== undefined && !next.metadata.finalizers?.length;
  return store(state, ref, isGone ? 'DELETED' : 'MODIFIED', next) as T;
}

function withStatus(ref: ResourceRef, old: StatusObject, body: StatusObject): StatusObject {
  if (!hasStatus(ref)) throw new HostlerError('NotFound', 'the server could not find the requested resource');
  const { status: _, ...rest } = structuredClone(old);
  return body.status === undefined ? rest : { ...rest, status: structuredClone(body.status) };
}

function withoutStatus(ref: ResourceRef, old: StatusObject, body: StatusObject): StatusObject {
  const { status, ...rest } = structuredClone(body);
  const kept = hasStatus(ref) ? old.status : status;
  const { uid, creationTimestamp, deletionTimestamp, generation } = old.metadata;
  const fixed = JSON.parse(
    JSON.stringify({ uid, creationTimestamp, deletionTimestamp, generation }),
  ) as object;
  const next: StatusObject = { ...rest, metadata: { ...rest.metadata, ...fixed } };
  if (kept !== undefined) next.status = structuredClone(kept);
  const { deletionTimestamp: wanted, ...metadata } = next.metadata;
  if (deletionTimestamp === undefined && wanted !== undefined) next.metadata = metadata;
  if (hasStatus(ref) && !isSameJson(next.spec, old.spec)) next.metadata.generation = (generation ?? 0) + 1;
  const added = (next.metadata.finalizers ?? []).some((name) => !old.metadata.finalizers?.includes(name));
  if (deletionTimestamp !== undefined && added) {
    throw new HostlerError(
      'Invalid',
      'metadata.finalizers: no new finalizers can be added if the object is being deleted',
    );
  }
  return next;
}

function remove(
  state: State,
  ref: ResourceRef,
  key: string,
  { uid, resourceVersion }: DeletePreconditions,
): void {
  const old = tableOf(state, ref).get(key);
  if (!old) return;
  if (
    (uid ?? old.metadata.uid) !== old.metadata.uid ||
    (resourceVersion ?? old.metadata.resourceVersion) !== old.metadata.resourceVersion
  ) {
    throw new HostlerError('Conflict', `${about(ref, key)}: the precondition does not hold`);
  }
  if (!old.metadata.finalizers?.length) store(state, ref, 'DELETED', structuredClone(old));
  else if (old.metadata.deletionTimestamp === undefined) {
    const metadata = {
      ...structuredClone(old.metadata),
      deletionTimestamp: stamp(state.clock),
      deletionGracePeriodSeconds: 0,
      ...(hasStatus(ref) ? { generation: (old.metadata.generation ?? 0) + 1 } : {}),
    };
    store(state, ref, 'MODIFIED', { ...structuredClone(old), metadata });
  }
}

function seedOne(state: State, object: KubeObject): void {
  const ref = refOf(object);
  const uid = object.metadata.uid ?? `uid-${++state.lastUid}`;
  const metadata = {
    creationTimestamp: stamp(state.clock),
    ...(hasStatus(ref) ? { generation: 1 } : {}),
    ...structuredClone(object.metadata),
    uid,
  };
  const isNew = !tableOf(state, ref).has(keyOf(object));
  store(state, ref, isNew ? 'ADDED' : 'MODIFIED', { ...structuredClone(object), metadata });
}

function store(
  state: State,
  ref: ResourceRef,
  type: 'ADDED' | 'MODIFIED' | 'DELETED',
  object: KubeObject,
): KubeObject {
  const key = keyOf(object);
  object.metadata.resourceVersion = String(state.history.revision() + 1);
  const old = tableOf(state, ref).get(key);
  if (type === 'DELETED') tableOf(state, ref).delete(key);
  else tableOf(state, ref).set(key, object);
  state.history.append(ref, type, object, old);
  return structuredClone(object);
}

function existing(state: State, ref: ResourceRef, key: string): KubeObject {
  const object = tableOf(state, ref).get(key);
  if (!object) throw new HostlerError('NotFound', `${about(ref, key)} not found`);
  return object;
}

function validate(ref: ResourceRef, object: KubeObject, old: KubeObject | undefined): void {
  const faults = definitionOf(ref)?.validate?.(object, old) ?? [];
  if (faults.length === 0) return;
  const text = faults.map(({ field, message }) => `${field}: ${message}`).join(', ');
  throw new HostlerError('Invalid', `${ref.kind} "${object.metadata.name}" is invalid: ${text}`);
}

function matcherOf(ref: ResourceRef, { namespace, labelSelector, fieldSelector }: ListOptions) {
  const selectable = definitionOf(ref)?.selectableFields.map((path) => path.replace(/^\./, ''));
  const hasLabels = labelMatcher(labelSelector);
  const hasFields = fieldMatcher(fieldSelector, selectable ?? EVENT_FIELDS);
  return (object: KubeObject): boolean =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    hasLabels(object) &&
    hasFields(object);
}

/** RFC 7386. */
function mergeJson(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergeJson(result[name], value);
  }
  return result;
}

const definitionOf = (ref: ResourceRef) =>
  kinds.find(({ group, resource }) => group === ref.group && resource === ref.resource);
const hasStatus = (ref: ResourceRef): boolean => definitionOf(ref) !== undefined;
const about = (ref: ResourceRef, key: string): string => `${ref.resource} "${key}"`;
const byKey = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : Number(a > b));
/** Kubernetes writes whole seconds. */
const stamp = (clock: Clock): string => new Date(clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');

function keyText(ref: ResourceRef, { namespace, name }: ObjectKey): string {
  if (!ref.namespaced) return name;
  if (namespace === undefined)
    throw new HostlerError('Invalid', `${ref.resource} "${name}": a namespace is needed`);
  return `${namespace}/${name}`;
}

function refOf({ apiVersion, kind }: KubeObject): ResourceRef {
  const ref =
    kinds.find((known) => known.kind === kind && apiVersionOf(known) === apiVersion) ?? builtins[kind];
  if (!ref) throw new Error(`The fake object store does not know ${apiVersion} ${kind}`);
  return ref;
}
