import type { JsonSchema } from '../resource.ts';
import { MessageWriter } from './protobuf.ts';
import type { OpenApiV2, V2Operation, V2Parameter } from './v2.ts';

/**
 * OpenAPI v2 as the protocol buffer `openapi.v2.Document` of github.com/google/gnostic (openapiv2/OpenAPIv2.proto, whose
 * field numbers stand here): every kubectl asks for this form alone.
 */
export function encodeOpenApiV2({ swagger, info, paths, definitions }: OpenApiV2): Buffer {
  const pathItems = Object.entries(paths).map(([path, item]) => named(path, pathItem(item)));
  return message()
    .text(1, swagger)
    .message(2, message().text(1, info.title).text(2, info.version))
    .message(8, message().messages(2, pathItems))
    .message(9, properties(definitions))
    .finish();
}

const message = (): MessageWriter => new MessageWriter();

/** Maps are lists of name and value. */
const named = (name: string, value: MessageWriter): MessageWriter =>
  message().text(1, name).message(2, value);

/** `Any` carries YAML, of which JSON is a part. */
const any = (value: unknown): MessageWriter => message().text(2, JSON.stringify(value));

/** What begins with `x-`. */
function extensions(of: object): MessageWriter[] {
  return Object.entries(of)
    .filter(([key]) => key.startsWith('x-'))
    .map(([key, value]) => named(key, any(value)));
}

const properties = (schemas: Readonly<Record<string, JsonSchema>>): MessageWriter =>
  message().messages(
    1,
    Object.entries(schemas).map(([name, schema]) => named(name, encodeSchema(schema))),
  );

const METHODS = { get: 2, put: 3, post: 4, delete: 5, patch: 8 } as const;

function pathItem(item: Readonly<Record<string, V2Operation>>): MessageWriter {
  const writer = message();
  for (const [method, field] of Object.entries(METHODS)) {
    const found = item[method];
    if (found !== undefined) writer.message(field, operation(found));
  }
  return writer;
}

function operation(value: V2Operation): MessageWriter {
  const responses = Object.entries(value.responses).map(([code, { description, schema }]) => {
    const item = schema === undefined ? undefined : message().message(1, encodeSchema(schema));
    return named(code, message().message(1, message().text(1, description).message(2, item)));
  });
  return message()
    .text(3, value.description)
    .text(5, value.operationId)
    .texts(6, value.produces)
    .texts(7, value.consumes)
    .messages(8, value.parameters.map(parameter))
    .message(9, message().messages(1, responses))
    .messages(13, extensions(value));
}

const QUERY_PARAMETER = 3;
const PATH_PARAMETER = 4;

function parameter({ name, in: place, description, required, type, schema }: V2Parameter): MessageWriter {
  const wrap = (inner: MessageWriter): MessageWriter => message().message(1, inner);
  if (schema !== undefined) {
    const body = message()
      .text(1, description)
      .text(2, name)
      .text(3, place)
      .flag(4, required)
      .message(5, encodeSchema(schema));
    return wrap(message().message(1, body));
  }
  const isQuery = place === 'query';
  const plain = message().flag(1, required).text(2, place).text(3, description).text(4, name);
  plain.text(isQuery ? 6 : 5, type);
  const choice = message().message(isQuery ? QUERY_PARAMETER : PATH_PARAMETER, plain);
  return wrap(message().message(2, choice));
}

function encodeSchema(schema: JsonSchema): MessageWriter {
  const { additionalProperties, items, type } = schema;
  return message()
    .text(1, schema.$ref)
    .text(2, schema.format)
    .text(4, schema.description)
    .double(7, schema.maximum)
    .double(9, schema.minimum)
    .integer(11, schema.maxLength)
    .integer(12, schema.minLength)
    .text(13, schema.pattern)
    .integer(14, schema.maxItems)
    .integer(15, schema.minItems)
    .flag(16, schema.uniqueItems)
    .integer(17, schema.maxProperties)
    .integer(18, schema.minProperties)
    .texts(19, schema.required)
    .messages(20, (schema.enum ?? []).map(any))
    .message(21, additionalProperties === undefined ? undefined : additional(additionalProperties))
    .message(22, type === undefined ? undefined : message().texts(1, [type]))
    .message(23, items === undefined ? undefined : message().message(1, encodeSchema(items)))
    .message(25, schema.properties === undefined ? undefined : properties(schema.properties))
    .messages(31, extensions(schema));
}

const additional = (value: JsonSchema | boolean): MessageWriter =>
  typeof value === 'boolean' ? message().flag(2, value) : message().message(1, encodeSchema(value));
