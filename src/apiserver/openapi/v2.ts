import type { CatalogEntry } from '../discovery/catalog.ts';
import type { JsonSchema } from '../resource.ts';
import { type Operation, operationsOf } from './operations.ts';
import { schemasOf } from './schemas.ts';
import { mapValues } from './v3.ts';

/** The OpenAPI 2 document of everything, for kubectl before 1.27 and for older tools. */
export interface OpenApiV2 {
  swagger: '2.0';
  info: { title: string; version: string };
  paths: Record<string, Record<string, V2Operation>>;
  definitions: Record<string, JsonSchema>;
}

export interface V2Operation {
  description: string;
  operationId: string;
  consumes: string[];
  produces: string[];
  parameters: V2Parameter[];
  responses: Record<string, { description: string; schema?: JsonSchema }>;
  'x-kubernetes-action': string;
  'x-kubernetes-group-version-kind': { group: string; kind: string; version: string };
}

export interface V2Parameter {
  name: string;
  in: 'path' | 'query' | 'body';
  description?: string;
  required?: boolean;
  /** Of path and query parameters. */
  type?: string;
  /** Of the body. */
  schema?: JsonSchema;
}

export function openApiV2(catalog: readonly CatalogEntry[], hostlerVersion: string): OpenApiV2 {
  const paths: OpenApiV2['paths'] = {};
  for (const operation of catalog.flatMap(operationsOf)) {
    const item = (paths[operation.path] ??= {});
    item[operation.method] = operationObject(operation);
  }
  return {
    swagger: '2.0',
    info: { title: 'Hostler', version: hostlerVersion },
    paths,
    definitions: mapValues(schemasOf(catalog), toV2),
  };
}

const reference = (name: string): JsonSchema => ({ $ref: `#/definitions/${name}` });

function operationObject({ entry, parameters, body, answer, ...operation }: Operation): V2Operation {
  const { group, version, kind } = entry;
  const plain = parameters.map(({ name, in: place, type, description }): V2Parameter => ({
    name,
    in: place,
    type,
    description,
    ...(place === 'path' ? { required: true } : {}),
  }));
  const bodies: V2Parameter[] =
    body === undefined
      ? []
      : [
          {
            name: 'body',
            in: 'body',
            required: operation.method !== 'delete',
            schema: reference(body.schema),
          },
        ];
  return {
    description: operation.description,
    operationId: operation.id,
    consumes: body?.types ?? ['*/*'],
    produces: ['application/json', 'application/yaml'],
    parameters: [...bodies, ...plain],
    responses: {
      [operation.code]: {
        description: operation.code === '201' ? 'Created' : 'OK',
        schema: reference(answer),
      },
      '401': { description: 'Unauthorized' },
    },
    'x-kubernetes-action': operation.action,
    'x-kubernetes-group-version-kind': { group, kind, version },
  };
}

/** OpenAPI 2 knows no alternatives and no null; as in Kubernetes, what it cannot say is left open. */
function toV2(schema: JsonSchema): JsonSchema {
  const {
    anyOf: _anyOf,
    oneOf: _oneOf,
    not: _not,
    allOf: _allOf,
    nullable,
    default: _default,
    ...kept
  } = schema;
  const { $ref, type, properties, items, additionalProperties, ...rest } = kept;
  if ($ref !== undefined) {
    return {
      ...(rest.description === undefined ? {} : { description: rest.description }),
      ...reference($ref),
    };
  }
  const isIntOrString = rest['x-kubernetes-int-or-string'] === true;
  if (rest['x-kubernetes-preserve-unknown-fields'] === true) return { ...rest };
  return {
    ...rest,
    ...(isIntOrString ? { type: 'string', format: 'int-or-string' } : {}),
    ...(type === undefined || nullable === true || isIntOrString ? {} : { type }),
    ...(properties === undefined ? {} : { properties: mapValues(properties, toV2) }),
    ...(items === undefined ? {} : { items: toV2(items) }),
    ...(additionalProperties === undefined
      ? {}
      : {
          additionalProperties:
            typeof additionalProperties === 'object' ? toV2(additionalProperties) : additionalProperties,
        }),
  };
}
