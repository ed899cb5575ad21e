import { hasCode } from '../../ports/errors.ts';
import type { KubeObject } from '../../crds/object.ts';
import type { Change } from '../auth/authorizer.ts';
import type { DeleteOptions, PatchBody, StoredObject, WriteOptions } from '../registry/registry.ts';
import { ApiError, badRequest, forbidden } from '../status.ts';
import { denial } from '../auth/attributes.ts';
import { objectNameOf, type ResourceContext } from './context.ts';
import { decodeBody, decodeObject, decodePatch } from './decode.ts';
import { sendList, sendObject } from './objects.ts';
import { deleteOptionsFromQuery, toDeleteOptions } from './delete-options.ts';
import { readListQuery, readWriteOptions } from './query-options.ts';
import { sendValue } from './respond.ts';

/** As in kube-apiserver. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** How often a restricted patch is tried again when the object changes under it. */
const RESTRICTED_ATTEMPTS = 5;

export async function createObject(context: ResourceContext): Promise<void> {
  const { exchange, info, registry } = context;
  const options = readWriteOptions(info.query, 'create');
  const body = await exchange.readBody(MAX_BODY_BYTES);
  const { object, duplicateFields } = decodeObject(
    body,
    exchange.header('content-type'),
    registry.definition,
  );
  refuseRestricted(context, undefined, { type: 'create', object });
  const stored = await registry.create(info.namespace, object, { ...options, duplicateFields }, context.call);
  await sendObject(context, 201, stored);
}

export async function updateObject(context: ResourceContext): Promise<void> {
  const { exchange, info, registry } = context;
  const options = withSubresource(context, readWriteOptions(info.query, 'update'));
  const body = await exchange.readBody(MAX_BODY_BYTES);
  const decoded = decodeObject(body, exchange.header('content-type'), registry.definition);
  const object = await restrictUpdate(context, decoded.object);
  const { duplicateFields } = decoded;
  const stored = await registry.update(
    objectNameOf(context),
    object,
    { ...options, duplicateFields },
    context.call,
  );
  await sendObject(context, 200, stored);
}

export async function patchObject(context: ResourceContext): Promise<void> {
  const { exchange, info, registry } = context;
  const contentType = exchange.header('content-type');
  const body = await exchange.readBody(MAX_BODY_BYTES);
  const { duplicateFields, ...patch } = decodePatch(body, contentType, registry.definition);
  const options = { ...withSubresource(context, readWriteOptions(info.query, 'patch')), duplicateFields };
  const stored =
    context.restriction === undefined
      ? await registry.patch(objectNameOf(context), patch, options, context.call)
      : await restrictedPatch(context, patch, options);
  await sendObject(context, 200, stored);
}

export async function deleteObject(context: ResourceContext): Promise<void> {
  const { exchange, info, registry, format, pretty } = context;
  const options = await readDeleteOptions(context);
  const { object, finished } = await registry.delete(objectNameOf(context), options, context.call);
  if (!finished) return sendObject(context, 200, object);
  const { definition } = registry;
  const { name, uid } = object.object.metadata;
  const value = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name,
      ...(definition.group === '' ? {} : { group: definition.group }),
      kind: info.resource,
      ...(uid === undefined ? {} : { uid }),
    },
  };
  return sendValue(exchange, context.headers(), { code: 200, value, format, pretty });
}

export async function deleteObjects(context: ResourceContext): Promise<void> {
  const { info, registry } = context;
  const query = readListQuery(info.query, info.namespace);
  const options = await readDeleteOptions(context);
  await sendList(context, await registry.deleteCollection(query, options, context.call));
}

async function readDeleteOptions({ exchange, info }: ResourceContext): Promise<DeleteOptions> {
  const body = await exchange.readBody(MAX_BODY_BYTES);
  if (body.length === 0) return toDeleteOptions(deleteOptionsFromQuery(info.query));
  const { value } = decodeBody(body, exchange.header('content-type'));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest('the object provided is unrecognized (must be of type DeleteOptions)');
  }
  const { kind = 'DeleteOptions' } = value as { kind?: unknown };
  if (kind !== 'DeleteOptions') {
    throw badRequest(`decoded object cannot be converted to DeleteOptions: it is a ${JSON.stringify(kind)}`);
  }
  return toDeleteOptions(value as Record<string, unknown>);
}

function withSubresource({ info }: ResourceContext, options: WriteOptions): WriteOptions {
  const { subresource } = info;
  return subresource === 'status' || subresource === 'approval' ? { ...options, subresource } : options;
}

/** @throws ApiError 403 when the restriction of the user's permission does not let `change` through */
function refuseRestricted(context: ResourceContext, existing: KubeObject | undefined, change: Change): void {
  const reason = context.restriction?.refuse(existing, change);
  if (reason === undefined) return;
  const { info, registry, user } = context;
  const attributes = { ...info, isResource: true, user } as const;
  throw forbidden(registry.definition, info.name ?? '', denial(attributes, reason));
}

/** The update that may be made: conditional on the version of the object that the permission was checked on. */
async function restrictUpdate(context: ResourceContext, object: KubeObject): Promise<KubeObject> {
  if (context.restriction === undefined) return object;
  const existing = await restrictedObject(context, object.metadata.resourceVersion);
  // What is written on an older version is a Conflict, whatever it says.
  if (isOutdated(existing, object.metadata.resourceVersion)) return object;
  refuseRestricted(context, existing.object, { type: 'update', object });
  const resourceVersion = object.metadata.resourceVersion ?? String(existing.resourceVersion);
  return { ...object, metadata: { ...object.metadata, resourceVersion } };
}

/** Likewise for a patch, which is tried again when the object has changed meanwhile and the client did not name a version. */
async function restrictedPatch(
  context: ResourceContext,
  patch: PatchBody,
  options: WriteOptions,
): Promise<StoredObject> {
  for (let attempt = 1; ; attempt++) {
    const named = versionIn(patch);
    const existing = await restrictedObject(context, named);
    const change = { type: 'patch', patchType: patch.type, body: patch.body } as const;
    if (!isOutdated(existing, named)) refuseRestricted(context, existing.object, change);
    const conditional = named === undefined ? withVersion(patch, existing.resourceVersion) : patch;
    try {
      return await context.registry.patch(objectNameOf(context), conditional, options, context.call);
    } catch (error) {
      if (named !== undefined || attempt >= RESTRICTED_ATTEMPTS || !isConflict(error)) throw error;
    }
  }
}

/** The write that names an older version fails, since it is conditional on it. A newer one may yet come to be. */
const isOutdated = ({ resourceVersion }: StoredObject, named: unknown): boolean =>
  typeof named === 'string' && /^[1-9]\d*$/.test(named) && Number(named) < resourceVersion;

const isConflict = (error: unknown): boolean =>
  hasCode(error, 'Conflict') || (error instanceof ApiError && error.status.code === 409);

/**
 * The version of the object that the permission is checked on. The write is conditional on it, so where the client named
 * the version that the watch cache has, the store need not be asked.
 * @throws ApiError 404
 */
async function restrictedObject(context: ResourceContext, named: unknown): Promise<StoredObject> {
  const { registry, call } = context;
  const name = objectNameOf(context);
  if (named !== undefined) {
    const cached = await registry.get(name, '0', call).catch(ifNotFound);
    if (cached !== undefined && String(cached.resourceVersion) === named) return cached;
  }
  return await registry.get(name, undefined, call);
}

function ifNotFound(error: unknown): undefined {
  if (!(error instanceof ApiError) || error.status.code !== 404) throw error;
  return undefined;
}

/** Restrictions let only merge patches through, which name a version like any other field. */
function versionIn({ body }: PatchBody): unknown {
  return (body as { metadata?: Record<string, unknown> } | null)?.metadata?.['resourceVersion'];
}

function withVersion(patch: PatchBody, resourceVersion: number): PatchBody {
  const body = patch.body as { metadata?: Record<string, unknown> };
  const metadata = { ...body.metadata, resourceVersion: String(resourceVersion) };
  return { ...patch, body: { ...body, metadata } };
}
