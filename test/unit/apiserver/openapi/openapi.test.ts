import { describe, expect, it } from '@jest/globals';
import protobuf from 'protobufjs';
import { allDefinitions } from '../../../../src/apiserver/builtin/definitions.ts';
import { type CatalogEntry, catalogOf } from '../../../../src/apiserver/discovery/catalog.ts';
import { MessageWriter } from '../../../../src/apiserver/openapi/protobuf.ts';
import { schemaName } from '../../../../src/apiserver/openapi/schemas.ts';
import { openApiV2 } from '../../../../src/apiserver/openapi/v2.ts';
import { encodeOpenApiV2 } from '../../../../src/apiserver/openapi/v2-protobuf.ts';
import { openApiV3 } from '../../../../src/apiserver/openapi/v3.ts';
import type { Registry } from '../../../../src/apiserver/registry/registry.ts';

const catalog = catalogOf(allDefinitions().map((definition) => ({ definition }) as Registry));
const hostler = catalog.filter(({ group }) => group === 'hostler.dev');

interface V3 {
  paths: Record<
    string,
    Record<string, { parameters: { name: string }[]; 'x-kubernetes-group-version-kind': object }>
  >;
  components: { schemas: Record<string, { properties: Record<string, object> }> };
}
const v3 = (entries: readonly CatalogEntry[]): V3 => openApiV3(entries, '1') as V3;

/** Every `$ref` anywhere in `value`. */
function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : references(inner),
  );
}

it.each([
  ['', 'v1', 'ConfigMap', 'io.k8s.api.core.v1.ConfigMap'],
  ['coordination.k8s.io', 'v1', 'Lease', 'io.k8s.api.coordination.v1.Lease'],
  ['hostler.dev', 'v1alpha1', 'Node', 'dev.hostler.v1alpha1.Node'],
])('%s/%s %s is %s', (group, version, kind, expected) => {
  expect(schemaName({ group, version }, kind)).toBe(expected);
});

describe('OpenAPI 3', () => {
  it('every reference leads somewhere', () => {
    const document = v3(catalog);
    const names = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect(references(document).filter((ref) => !names.includes(ref))).toEqual([]);
  });

  it('says which parameters a patch takes: kubectl validates on the server only then', () => {
    const patch =
      v3(hostler).paths['/apis/hostler.dev/v1alpha1/namespaces/{namespace}/containers/{name}']?.['patch'];
    expect(patch?.['x-kubernetes-group-version-kind']).toEqual({
      group: 'hostler.dev',
      version: 'v1alpha1',
      kind: 'Container',
    });
    expect(patch?.parameters.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['dryRun', 'fieldValidation', 'fieldManager']),
    );
  });

  it('metadata is described, although the schemas of the kinds leave it open', () => {
    const schema = v3(hostler).components.schemas['dev.hostler.v1alpha1.Container'];
    expect(JSON.stringify(schema?.properties['metadata'])).toContain('meta.v1.ObjectMeta');
  });

  it('operation ids are unique', () => {
    const ids = Object.values(v3(catalog).paths).flatMap((item) =>
      Object.values(item).map((operation) => (operation as unknown as { operationId: string }).operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('OpenAPI 2', () => {
  const document = openApiV2(catalog, '1');

  it('every reference leads somewhere', () => {
    const names = Object.keys(document.definitions).map((name) => `#/definitions/${name}`);
    expect(references(document).filter((ref) => !names.includes(ref))).toEqual([]);
  });

  it('has nothing that OpenAPI 2 does not know', () => {
    const text = JSON.stringify(document.definitions);
    for (const word of ['anyOf', 'oneOf', 'nullable']) expect(text).not.toContain(`"${word}"`);
  });

  it('as protobuf it has the definitions, paths and extensions that it has as JSON', () => {
    const message = documentType().decode(encodeOpenApiV2(document));
    const decoded = message.toJSON() as {
      swagger: string;
      definitions: {
        list: { name: string; value: { extensions?: { name: string; value: { yaml: string } }[] } }[];
      };
      paths: { list: { name: string }[] };
    };
    expect(decoded.swagger).toBe('2.0');
    expect(decoded.definitions.list.map(({ name }) => name)).toEqual(Object.keys(document.definitions));
    expect(decoded.paths.list.map(({ name }) => name)).toEqual(Object.keys(document.paths));
    const node = decoded.definitions.list.find(({ name }) => name === 'dev.hostler.v1alpha1.Node');
    expect(JSON.parse(node?.value.extensions?.[0]?.value.yaml ?? '')).toEqual([
      { group: 'hostler.dev', version: 'v1alpha1', kind: 'Node' },
    ]);
  });
});

it('numbers and lengths above 127 are written in several bytes', () => {
  const long = 'x'.repeat(300);
  const writer = new MessageWriter().integer(11, 316).text(4, long).double(7, 1.5).flag(16, true);
  expect(schemaType().decode(writer.finish()).toJSON()).toMatchObject({
    maxLength: 316,
    description: long,
    maximum: 1.5,
    uniqueItems: true,
  });
});

/** As much of gnostic's OpenAPIv2.proto as these tests read. */
const PROTO = `
  syntax = "proto3";
  message Any { string yaml = 2; }
  message NamedAny { string name = 1; Any value = 2; }
  message Schema {
    string description = 4; double maximum = 7; int32 maxLength = 11; bool uniqueItems = 16;
    repeated NamedAny extensions = 31;
  }
  message NamedSchema { string name = 1; Schema value = 2; }
  message Definitions { repeated NamedSchema list = 1; }
  message NamedPathItem { string name = 1; }
  message Paths { repeated NamedPathItem list = 2; }
  message Document { string swagger = 1; Paths paths = 8; Definitions definitions = 9; }
`;
const documentType = () => protobuf.parse(PROTO).root.lookupType('Document');
const schemaType = () => protobuf.parse(PROTO).root.lookupType('Schema');
