import { randomUUID } from 'node:crypto';
import type { KubeObject, ObjectMeta } from '../../crds/object.ts';
import type { ResourceDefinition } from '../resource.ts';
import { validate } from '../schema/validate.ts';
import { isEqualJson, type JsonMap } from '../schema/value.ts';
import { badRequest, conflict, invalid } from '../status.ts';
import { FOREGROUND, metadataChangeFaults, metadataFaults, ORPHAN } from './metadata-faults.ts';
import type { DeleteOptions, ObjectName, WriteOptions } from './registry.ts';

/** What becomes of an object when it is created, changed and deleted. Pure but for the uid: the store is somewhere else. */

const MODIFIED =
  'the object has been modified; please apply your changes to the latest version and try again';

/** RFC 3339 with seconds, as Kubernetes writes its times. */
export const timestamp = (nowMs: number): string => new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');

/**
 * The object as it is first stored.
 * @param body taken in, with a name
 * @throws ApiError 400 or 422
 */
export function newObject(
  definition: ResourceDefinition,
  namespace: string | undefined,
  body: KubeObject,
  nowMs: number,
): KubeObject {
  const { metadata } = body;
  if ((metadata.resourceVersion ?? '') !== '') {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  const created: KubeObject = {
    ...body,
    metadata: {
      ...userMetadata(metadata),
      ...(namespace === undefined ? {} : { namespace }),
      uid: randomUUID(),
      creationTimestamp: timestamp(nowMs),
      ...(definition.isCustom ? { generation: 1 } : {}),
    },
  };
  if (definition.isCustom && definition.hasStatus) delete (created as unknown as JsonMap)['status'];
  const prepared = definition.prepare?.(created, undefined) ?? created;
  refuseInvalid(definition, prepared, undefined);
  return prepared;
}

/** What of metadata is the client's; all else is the server's. */
function userMetadata(metadata: ObjectMeta): ObjectMeta {
  const { name, generateName, labels, annotations, finalizers, ownerReferences } = metadata;
  return {
    name,
    ...(generateName === undefined ? {} : { generateName }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(finalizers === undefined || finalizers.length === 0 ? {} : { finalizers }),
    ...(ownerReferences === undefined || ownerReferences.length === 0 ? {} : { ownerReferences }),
  };
}

/** @throws ApiError 400 when the body is about another object than the request */
export function checkName(name: ObjectName, { metadata }: KubeObject): void {
  if (metadata.name !== undefined && metadata.name !== name.name) {
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name.name})`,
    );
  }
  checkNamespace(name.namespace, metadata);
}

export function checkNamespace(namespace: string | undefined, metadata: ObjectMeta): void {
  if ((metadata.namespace ?? '') === '' || metadata.namespace === namespace) return;
  throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

/**
 * The object after an update by `body` (taken in). `old` itself when nothing changes.
 * @throws ApiError 409 when `body` carries another resourceVersion or uid, 422 when the change is not allowed
 */
export function changedObject(
  definition: ResourceDefinition,
  old: KubeObject,
  body: KubeObject,
  subresource: WriteOptions['subresource'],
): KubeObject {
  const about = old.metadata.name;
  const { uid = '', resourceVersion = '' } = body.metadata;
  if (uid !== '' && uid !== old.metadata.uid) {
    throw conflict(
      definition,
      about,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
    );
  }
  if (resourceVersion !== '' && resourceVersion !== old.metadata.resourceVersion) {
    throw conflict(definition, about, MODIFIED);
  }
  const next =
    subresource === undefined
      ? withoutStatus(definition, old, body)
      : withStatus(old, partOf(old, body, subresource));
  const prepared = counted(definition, definition.prepare?.(next, old) ?? next, old);
  refuseInvalid(definition, prepared, old);
  return isSame(prepared, old) ? old : prepared;
}

/** Who approves writes conditions, and nothing else of the status. */
function partOf(old: KubeObject, body: KubeObject, subresource: 'status' | 'approval'): KubeObject {
  if (subresource === 'status') return body;
  const { status } = old as KubeObject & { status?: object };
  const { conditions } = (body as KubeObject & { status?: { conditions?: unknown } }).status ?? {};
  const next = { ...status, ...(conditions === undefined ? {} : { conditions }) };
  return { ...body, status: next } as KubeObject;
}

function withStatus(old: KubeObject, body: KubeObject): KubeObject {
  const { status: _, ...rest } = old as KubeObject & { status?: unknown };
  const { status } = body as KubeObject & { status?: unknown };
  return { ...rest, ...(status === undefined ? {} : { status }) };
}

function withoutStatus(definition: ResourceDefinition, old: KubeObject, body: KubeObject): KubeObject {
  const { uid, generation, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, namespace } =
    old.metadata;
  const metadata: ObjectMeta = {
    ...userMetadata(body.metadata),
    ...definedOnly({ namespace, uid, generation }),
    ...definedOnly({ creationTimestamp: body.metadata.creationTimestamp ?? creationTimestamp }),
    ...definedOnly({ deletionTimestamp: body.metadata.deletionTimestamp ?? deletionTimestamp }),
    ...definedOnly({
      deletionGracePeriodSeconds: body.metadata.deletionGracePeriodSeconds ?? deletionGracePeriodSeconds,
    }),
  };
  const next = { ...body, metadata };
  if (!definition.hasStatus) return next;
  const { status: _, ...rest } = next as KubeObject & { status?: unknown };
  const { status } = old as KubeObject & { status?: unknown };
  return { ...rest, ...(status === undefined ? {} : { status }) };
}

function definedOnly<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** Custom resources count a generation for each change outside of metadata and status. */
function counted(definition: ResourceDefinition, next: KubeObject, old: KubeObject): KubeObject {
  if (!definition.isCustom) return next;
  const desired = (object: KubeObject): object => ({
    ...object,
    metadata: undefined,
    ...(definition.hasStatus ? { status: undefined } : {}),
  });
  if (isEqualJson(desired(next), desired(old))) return next;
  return { ...next, metadata: { ...next.metadata, generation: (old.metadata.generation ?? 0) + 1 } };
}

function isSame(next: KubeObject, old: KubeObject): boolean {
  const { resourceVersion: _, ...metadata } = next.metadata;
  const { resourceVersion: __, ...oldMetadata } = old.metadata;
  return isEqualJson({ ...next, metadata }, { ...old, metadata: oldMetadata });
}

function refuseInvalid(
  definition: ResourceDefinition,
  object: KubeObject,
  old: KubeObject | undefined,
): void {
  const faults = metadataFaults(definition, object.metadata);
  if (old !== undefined) faults.push(...metadataChangeFaults(object.metadata, old.metadata));
  const known = new Set(faults.map(({ field }) => field));
  faults.push(...validate(definition.schema, object).filter(({ field }) => !known.has(field)));
  if (faults.length === 0) faults.push(...(definition.validate?.(object, old) ?? []));
  if (faults.length > 0) throw invalid(definition, object.metadata.name ?? '', faults);
}

/** What a deletion does: remove the object now, leave it marked until all that hold it let go, or nothing (it is marked). */
export type Deletion = { do: 'remove' } | { do: 'mark'; object: KubeObject } | { do: 'nothing' };

/** @throws ApiError 409 when a precondition does not hold */
export function deletionOf(
  definition: ResourceDefinition,
  old: KubeObject,
  { preconditions, propagationPolicy }: DeleteOptions,
  nowMs: number,
): Deletion {
  checkPreconditions(definition, old, preconditions);
  const finalizers = finalizersFor(propagationPolicy, old.metadata.finalizers ?? []);
  if (finalizers.length === 0 && definition.isHeld?.(old) !== true) return { do: 'remove' };
  const { deletionTimestamp, generation, finalizers: _, ...metadata } = old.metadata;
  const isMarked = deletionTimestamp !== undefined;
  if (isMarked && isEqualJson(finalizers, old.metadata.finalizers ?? [])) return { do: 'nothing' };
  const marked: KubeObject = {
    ...old,
    metadata: {
      ...metadata,
      ...(generation === undefined ? {} : { generation: isMarked ? generation : generation + 1 }),
      ...(finalizers.length === 0 ? {} : { finalizers }),
      deletionTimestamp: deletionTimestamp ?? timestamp(nowMs),
      deletionGracePeriodSeconds: 0,
    },
  };
  return { do: 'mark', object: definition.markDeleted?.(marked) ?? marked };
}

function checkPreconditions(
  definition: ResourceDefinition,
  { metadata }: KubeObject,
  preconditions: DeleteOptions['preconditions'] = {},
): void {
  const { uid, resourceVersion } = preconditions;
  if (uid !== undefined && uid !== metadata.uid) {
    throw conflict(
      definition,
      metadata.name,
      `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw conflict(
      definition,
      metadata.name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    );
  }
}

function finalizersFor(policy: DeleteOptions['propagationPolicy'], finalizers: readonly string[]): string[] {
  if (policy === undefined) return [...finalizers];
  const others = finalizers.filter((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND);
  if (policy === 'Background') return others;
  return [...others, policy === 'Orphan' ? ORPHAN : FOREGROUND];
}

/** Whether an object that was marked has been let go by all that held it. */
export function isReleased(definition: ResourceDefinition, object: KubeObject): boolean {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  return deletionTimestamp !== undefined && finalizers.length === 0 && definition.isHeld?.(object) !== true;
}

/** 422: most custom resources are only updated on top of a version that the client has seen. */
export function unconditional(definition: ResourceDefinition, name: string): Error {
  return invalid(definition, name, [
    {
      field: 'metadata.resourceVersion',
      reason: 'FieldValueInvalid',
      message: 'Invalid value: 0x0: must be specified for an update',
    },
  ]);
}
