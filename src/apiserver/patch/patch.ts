import type { KubeObject } from '../../crds/object.ts';
import type { PatchBody } from '../registry/registry.ts';
import type { ResourceDefinition } from '../resource.ts';
import { objectMetaSchema } from '../schema/object-meta.ts';
import { isMap } from '../schema/value.ts';
import { badRequest, unsupportedMediaType } from '../status.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge.ts';

/**
 * The patched copy of `object`, not yet checked for anything but being an object.
 * @throws ApiError 400 or 422 when the patch cannot be applied, 415 when its kind is not served for the resource
 */
export function applyPatch(definition: ResourceDefinition, object: KubeObject, patch: PatchBody): KubeObject {
  const patched = apply(definition, object, patch);
  if (!isMap(patched) || !isMap(patched['metadata'])) {
    throw badRequest('the patch does not leave an object with metadata');
  }
  return patched as unknown as KubeObject;
}

function apply(definition: ResourceDefinition, object: KubeObject, { type, body }: PatchBody): unknown {
  if (type === 'json') return applyJsonPatch(object, body);
  if (type === 'merge') {
    if (!isMap(body)) throw badRequest('error decoding patch: the patch is not an object');
    return applyMergePatch(object, body);
  }
  if (definition.isCustom) throw unsupportedMediaType(NO_STRATEGIC_MERGE);
  const { schema } = definition;
  const properties = { ...schema.properties, metadata: objectMetaSchema };
  return applyStrategicMergePatch({ ...object }, body, { ...schema, properties });
}

const NO_STRATEGIC_MERGE =
  'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml';
