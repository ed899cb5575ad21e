import type { FieldFault } from '../../crds/kind.ts';
import { apiVersionOf, type KubeObject } from '../../crds/object.ts';
import type { ResourceDefinition } from '../resource.ts';
import { applyDefaults } from '../schema/defaults.ts';
import { invalidValue } from '../schema/fault.ts';
import { objectMetaSchema } from '../schema/object-meta.ts';
import { dropNulls, prune } from '../schema/prune.ts';
import { validate } from '../schema/validate.ts';
import { isMap, type JsonMap } from '../schema/value.ts';
import { badRequest, invalid } from '../status.ts';
import type { Call, WriteOptions } from './registry.ts';

/**
 * What a client sent becomes an object of the kind: type checked, unknown fields dropped and reported as
 * `fieldValidation` asks, defaults filled in. The result is a copy; whether its values make sense is validated later.
 * @param patch the patch that led to `body`, as it is quoted in errors; absent for a whole object
 * @throws ApiError 400 (422 for a patch) when it is no object of the kind or has unknown fields and that is an error
 */
export function takeIn(
  definition: ResourceDefinition,
  body: KubeObject,
  options: WriteOptions,
  call: Call,
  patch?: string,
): KubeObject {
  const object = structuredClone(body) as unknown as JsonMap;
  checkType(definition, object);
  if (!isMap(object['metadata'])) object['metadata'] = {};
  const metadata = object['metadata'];
  dropNulls(metadata);
  const unknown = prune(objectMetaSchema, metadata, 'metadata');
  const typed = validate(objectMetaSchema, metadata, 'metadata');
  const { metadata: _, ...rest } = object;
  if (!definition.isCustom) dropNulls(rest);
  unknown.push(...prune(definition.schema, rest));
  if (!definition.isCustom) typed.push(...validate(definition.schema, rest));
  refuseWrongTypes(definition, typed);
  report(
    definition,
    [...(options.duplicateFields ?? []), ...unknown.map(unknownField)],
    options,
    call,
    patch,
  );
  const whole = { ...rest, metadata } as unknown as KubeObject;
  applyDefaults(definition.schema, whole);
  return inOrder(whole);
}

const unknownField = (path: string): string => `unknown field "${path}"`;

function checkType(definition: ResourceDefinition, object: JsonMap): void {
  const apiVersion = apiVersionOf(definition);
  if (!definition.isCustom) {
    object['apiVersion'] ??= apiVersion;
    object['kind'] ??= definition.kind;
  }
  for (const field of ['kind', 'apiVersion'] as const) {
    if (typeof object[field] !== 'string' || object[field] === '') {
      throw badRequest(
        `Object '${field === 'kind' ? 'Kind' : 'apiVersion'}' is missing in '${excerpt(object)}'`,
      );
    }
  }
  if (object['apiVersion'] !== apiVersion) {
    throw badRequest(
      `the API version in the data (${String(object['apiVersion'])}) does not match the expected API version (${apiVersion})`,
    );
  }
  if (object['kind'] !== definition.kind) {
    const fault = invalidValue('kind', object['kind'], `must be ${definition.kind}`);
    throw invalid(definition, nameOf(object), [fault]);
  }
}

function excerpt(object: JsonMap): string {
  const text = JSON.stringify(object);
  return text.length > 256 ? `${text.slice(0, 256)}…` : text;
}

const nameOf = ({ metadata }: JsonMap): string =>
  isMap(metadata) && typeof metadata['name'] === 'string' ? metadata['name'] : '';

/** Built-in kinds, and every kind's metadata, are typed in Kubernetes: a wrong type does not get past decoding. */
function refuseWrongTypes(definition: ResourceDefinition, faults: readonly FieldFault[]): void {
  const fault = faults.find(({ reason }) => reason === 'FieldValueTypeInvalid');
  if (fault === undefined) return;
  const [, type = '', actual = ''] = /must be of type (\S+): "(.*)"$/.exec(fault.message) ?? [];
  const why =
    type === 'date-time'
      ? `parsing time "${actual}" as "2006-01-02T15:04:05Z07:00": cannot parse "${actual}" as "2006"`
      : `json: cannot unmarshal ${GO_VALUES[actual] ?? actual} into Go struct field ${definition.kind}.${fault.field} of type ${GO_TYPES[type] ?? type}`;
  throw badRequest(`${undecodable(definition)}: ${why}`);
}

const GO_VALUES: Readonly<Record<string, string>> = { integer: 'number', boolean: 'bool' };
const GO_TYPES: Readonly<Record<string, string>> = {
  integer: 'int64',
  boolean: 'bool',
  object: 'map[string]string',
  array: '[]string',
};

const undecodable = ({ kind, version }: ResourceDefinition): string =>
  `${kind} in version "${version}" cannot be handled as a ${kind}`;

function report(
  definition: ResourceDefinition,
  complaints: readonly string[],
  { fieldValidation }: WriteOptions,
  call: Call,
  patch: string | undefined,
): void {
  if (complaints.length === 0 || fieldValidation === 'Ignore') return;
  if (fieldValidation === 'Warn') {
    for (const complaint of complaints) call.warn(complaint);
    return;
  }
  const strict = `strict decoding error: ${complaints.join(', ')}`;
  if (patch === undefined) throw badRequest(`${undecodable(definition)}: ${strict}`);
  throw invalid({ group: '', resource: '', kind: '' }, '', [invalidValue('patch', patch, strict)]);
}

/** Type and metadata first, as people expect to read objects. */
function inOrder({ apiVersion, kind, metadata, ...rest }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata, ...rest };
}
