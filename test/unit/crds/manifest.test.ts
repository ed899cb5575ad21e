import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { crdFiles } from '../../../src/crds/files.ts';
import { kinds } from '../../../src/crds/kinds.ts';
import { crdManifest } from '../../../src/crds/manifest.ts';

const folder = new URL('../../../manifests/crds/', import.meta.url);

describe('manifests/crds', () => {
  it('are what npm run generate writes', async () => {
    const names = (await readdir(folder)).sort();
    const texts = await Promise.all(names.map((name) => readFile(new URL(name, folder), 'utf8')));
    expect(new Map(names.map((name, index) => [name, texts[index]]))).toEqual(
      new Map([...crdFiles()].sort(([a], [b]) => (a < b ? -1 : 1))),
    );
  });
});

/** The rules of structural schemas that a Kubernetes API server checks before it takes a CRD. */
describe.each(kinds.map((kind) => [kind.kind, kind] as const))('the CRD of %s', (_name, kind) => {
  const manifest = crdManifest(kind);

  it('has a structural schema', () => {
    const faults: string[] = [];
    walk(manifest.spec.versions[0]?.schema.openAPIV3Schema, '', faults);
    expect(faults).toEqual([]);
  });

  it('selects only by fields that there are', () => {
    for (const { jsonPath } of manifest.spec.versions[0]?.selectableFields ?? []) {
      expect(
        schemaAt(manifest.spec.versions[0]?.schema.openAPIV3Schema, jsonPath.slice(1).split('.')),
      ).toMatchObject({
        type: expect.stringMatching(/^(string|integer|boolean)$/),
      });
    }
  });
});

interface Schema {
  [keyword: string]: unknown;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
}

const schemaAt = (schema: Schema | undefined, path: readonly string[]): Schema | undefined =>
  path.reduce<Schema | undefined>((at, name) => at?.properties?.[name], schema);

function walk(schema: Schema | undefined, path: string, faults: string[]): void {
  if (schema === undefined) return;
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true;
  if (schema['type'] === undefined && !isIntOrString) faults.push(`${path} has no type`);
  if (schema['anyOf'] !== undefined && !isIntOrString) faults.push(`${path} has anyOf`);
  for (const keyword of ['const', 'patternProperties', '$ref', 'definitions', 'oneOf']) {
    if (schema[keyword] !== undefined) faults.push(`${path} has ${keyword}`);
  }
  if (schema.additionalProperties !== undefined && schema.properties !== undefined) {
    faults.push(`${path} has properties and additionalProperties`);
  }
  for (const key of (schema['x-kubernetes-list-map-keys'] as string[] | undefined) ?? []) {
    const isThere = (schema.items?.['required'] as string[] | undefined)?.includes(key);
    if (isThere !== true) faults.push(`${path} has the key ${key}, which is not required`);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    walk(property, `${path}.${name}`, faults);
  walk(schema.items, `${path}[]`, faults);
  walk(schema.additionalProperties, `${path}{}`, faults);
}
