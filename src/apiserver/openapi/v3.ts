import type { CatalogEntry } from '../discovery/catalog.ts';
import type { JsonSchema } from '../resource.ts';
import { type Operation, operationsOf } from './operations.ts';
import { schemasOf } from './schemas.ts';

/** The OpenAPI 3 document of one group and version. */
export function openApiV3(entries: readonly CatalogEntry[], hostlerVersion: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of entries.flatMap(operationsOf)) {
    const item = (paths[operation.path] ??= {});
    item[operation.method] = operationObject(operation);
  }
  const schemas = Object.entries(schemasOf(entries)).map(([name, schema]) => [name, withPaths(schema)]);
  return {
    openapi: '3.0.0',
    info: { title: 'Hostler', version: hostlerVersion },
    paths,
    components: { schemas: Object.fromEntries(schemas) as object },
  };
}

const reference = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

function operationObject({ entry, parameters, body, answer, ...operation }: Operation): object {
  const { group, version, kind } = entry;
  const content = (types: readonly string[], schema: string): object =>
    Object.fromEntries(types.map((type) => [type, { schema: reference(schema) }]));
  return {
    tags: [`${group === '' ? 'core' : group.split('.')[0]}_${version}`],
    description: operation.description,
    operationId: operation.id,
    parameters: parameters.map(({ name, in: place, type, description }) => ({
      name,
      in: place,
      description,
      ...(place === 'path' ? { required: true } : {}),
      schema: { type, uniqueItems: true },
    })),
    ...(body === undefined
      ? {}
      : {
          requestBody: { content: content(body.types, body.schema), required: operation.method !== 'delete' },
        }),
    responses: {
      [operation.code]: {
        description: operation.code === '201' ? 'Created' : 'OK',
        content: content(['application/json', 'application/yaml'], answer),
      },
      '401': { description: 'Unauthorized' },
    },
    'x-kubernetes-action': operation.action,
    'x-kubernetes-group-version-kind': { group, kind, version },
  };
}

/** A reference may not have siblings in OpenAPI 3.0: `allOf` keeps the description beside it. */
function withPaths(schema: JsonSchema): JsonSchema {
  const { $ref, properties, items, additionalProperties, ...rest } = schema;
  const ref = $ref === undefined ? {} : siblings(rest) ? { allOf: [reference($ref)] } : reference($ref);
  return {
    ...rest,
    ...ref,
    ...(properties === undefined ? {} : { properties: mapValues(properties, withPaths) }),
    ...(items === undefined ? {} : { items: withPaths(items) }),
    ...(additionalProperties === undefined
      ? {}
      : {
          additionalProperties:
            typeof additionalProperties === 'object' ? withPaths(additionalProperties) : additionalProperties,
        }),
  };
}

const siblings = (rest: object): boolean => Object.keys(rest).length > 0;

export function mapValues<In, Out>(
  map: Readonly<Record<string, In>>,
  change: (value: In) => Out,
): Record<string, Out> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}
