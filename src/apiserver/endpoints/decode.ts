import { isMap, isPair, isScalar, isSeq, parseDocument, visit } from 'yaml';
import type { KubeObject } from '../../crds/object.ts';
import { apiVersionOf } from '../../crds/object.ts';
import type { PatchBody } from '../registry/registry.ts';
import type { ResourceDefinition } from '../resource.ts';
import { badRequest, unsupportedMediaType } from '../status.ts';
import { findRepeatedKeys } from './json-keys.ts';
import { decodeProtobuf } from './protobuf-body.ts';

/** A body as JSON values, and the keys that stood twice: `duplicate field "spec.image"`. */
export interface Decoded {
  value: unknown;
  duplicateFields: string[];
}

const JSON_TYPES = new Set(['', 'application/json', 'text/json']);
const YAML_TYPES = new Set(['application/yaml', 'text/yaml', 'application/x-yaml']);
const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';
const BODY_TYPES = `application/json, application/yaml, ${PROTOBUF_TYPE}`;
const FOREIGN_TAGS = new Set([
  'tag:yaml.org,2002:timestamp',
  'tag:yaml.org,2002:binary',
  'tag:yaml.org,2002:omap',
  'tag:yaml.org,2002:pairs',
  'tag:yaml.org,2002:set',
]);
const PATCH_TYPES: Record<string, PatchBody['type']> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic-merge',
};

/** @throws ApiError 415 for other types than JSON, YAML and (built-in kinds) protobuf; 400 when it cannot be read */
export function decodeBody(body: Buffer, contentType: string | undefined): Decoded {
  const type = mediaType(contentType);
  if (JSON_TYPES.has(type)) return decodeJson(body);
  if (YAML_TYPES.has(type)) return decodeYaml(body);
  if (type === PROTOBUF_TYPE) return { value: decodeProtobuf(body), duplicateFields: [] };
  throw unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${BODY_TYPES}`,
  );
}

/** An object of `definition`'s kind. @throws ApiError 400 when it is of another */
export function decodeObject(
  body: Buffer,
  contentType: string | undefined,
  definition: ResourceDefinition,
): { object: KubeObject; duplicateFields: string[] } {
  const { value, duplicateFields } = decodeBody(body, contentType);
  if (!isObject(value)) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${definition.kind}): json: cannot unmarshal ${jsonType(value)} into Go value of type map[string]interface {}`,
    );
  }
  const apiVersion = apiVersionOf(definition);
  const object = withTypeMeta(value, definition);
  const found = { apiVersion: plain(object['apiVersion']), kind: plain(object['kind']) };
  if (found.apiVersion !== apiVersion) {
    throw badRequest(
      `the API version in the data (${found.apiVersion}) does not match the expected API version (${apiVersion})`,
    );
  }
  if (found.kind !== definition.kind) {
    throw badRequest(
      `${found.kind} in version "${definition.version}" cannot be handled as a ${definition.kind}: no kind "${found.kind}" is registered for this resource`,
    );
  }
  const { metadata } = object;
  if (metadata !== undefined && metadata !== null && !isObject(metadata)) {
    throw badRequest(
      `${definition.kind} in version "${definition.version}" cannot be handled as a ${definition.kind}: json: cannot unmarshal ${jsonType(metadata)} into Go struct field ${definition.kind}.metadata of type v1.ObjectMeta`,
    );
  }
  return { object: { ...object, metadata: metadata ?? {} } as unknown as KubeObject, duplicateFields };
}

/** Built-in kinds may leave their type out, since the URL says it; custom ones may not, as in Kubernetes. */
function withTypeMeta(
  value: Record<string, unknown>,
  definition: ResourceDefinition,
): Record<string, unknown> {
  const { apiVersion = '', kind = '' } = value;
  if (!definition.isCustom) {
    return {
      ...value,
      apiVersion: apiVersion === '' ? apiVersionOf(definition) : apiVersion,
      kind: kind === '' ? definition.kind : kind,
    };
  }
  for (const [field, found] of [
    ['Kind', kind],
    ['apiVersion', apiVersion],
  ] as const) {
    if (found !== '') continue;
    throw badRequest(
      `the object provided is unrecognized (must be of type ${definition.kind}): Object '${field}' is missing in '${JSON.stringify(value).slice(0, 60)}'`,
    );
  }
  return value;
}

/** @throws ApiError 415 for server-side apply and for types that the resource does not take; 400 when it cannot be read */
export function decodePatch(
  body: Buffer,
  contentType: string | undefined,
  definition: ResourceDefinition,
): PatchBody & { duplicateFields: string[] } {
  const type = mediaType(contentType);
  if (type === 'application/apply-patch+yaml' || type === 'application/apply-patch+cbor') {
    throw unsupportedMediaType(
      'server-side apply is not supported by this server: use client-side apply, or a JSON or merge patch',
    );
  }
  const known = PATCH_TYPES[type];
  if (known === undefined || (known === 'strategic-merge' && definition.isCustom)) {
    const accepted = Object.keys(PATCH_TYPES).filter(
      (one) => !definition.isCustom || PATCH_TYPES[one] !== 'strategic-merge',
    );
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
    );
  }
  const { value, duplicateFields } = decodeJson(body);
  return { type: known, body: value, duplicateFields };
}

function decodeJson(body: Buffer): Decoded {
  const text = body.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${(error as Error).message}`);
  }
  const { repeated, tooDeep } = findRepeatedKeys(text);
  if (tooDeep) throw badRequest('the body of the request exceeded max depth');
  return { value, duplicateFields: repeated.map((path) => `duplicate field "${path}"`) };
}

function decodeYaml(body: Buffer): Decoded {
  const document = parseDocument(body.toString('utf8'), {
    uniqueKeys: false,
    // As kubectl reads files: `yes` is true, and a time stays a text.
    version: '1.1',
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || !FOREIGN_TAGS.has(tag.tag)),
  });
  const [error] = document.errors;
  if (error !== undefined)
    throw badRequest(`error converting YAML to JSON: yaml: ${error.message.split('\n')[0]}`);
  const duplicateFields: string[] = [];
  visit(document, {
    Map(_key, map, path) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name)) duplicateFields.push(`duplicate field "${yamlPath(path, map, String(name))}"`);
        seen.add(name);
      }
    },
  });
  try {
    // Through JSON: aliases become copies, and what JSON cannot say is gone.
    return {
      value: JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: 100 }))) as unknown,
      duplicateFields,
    };
  } catch (cause) {
    throw badRequest(`error converting YAML to JSON: yaml: ${(cause as Error).message}`);
  }
}

function yamlPath(ancestors: readonly unknown[], map: unknown, key: string): string {
  let path = '';
  const nodes = [...ancestors, map];
  for (const [position, node] of nodes.entries()) {
    if (isPair(node) && isScalar(node.key)) path += `${path === '' ? '' : '.'}${String(node.key.value)}`;
    if (isSeq(node)) path += `[${node.items.indexOf(nodes[position + 1])}]`;
  }
  return isMap(map) && path !== '' ? `${path}.${key}` : key;
}

const mediaType = (contentType = ''): string => (contentType.split(';')[0] as string).trim().toLowerCase();

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const plain = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const jsonType = (value: unknown): string =>
  Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
