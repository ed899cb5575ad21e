import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { kinds } from '../../../src/crds/kinds.ts';
import type { KubeObject } from '../../../src/crds/object.ts';
import { apiVersionOf } from '../../../src/crds/object.ts';
import { validatorOf } from '../../../src/crds/validator.ts';

const examples = new URL('../../../examples/', import.meta.url);
const folders = readdirSync(examples).filter((name) => /^\d\d-/.test(name));
const files = folders.flatMap((folder) =>
  readdirSync(new URL(`${folder}/`, examples))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => `${folder}/${name}`),
);

function objectsIn(file: string): KubeObject[] {
  return parseAllDocuments(readFileSync(new URL(file, examples), 'utf8')).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as KubeObject;
  });
}

describe('examples', () => {
  it('are there', () => {
    expect(files).toContain('01-first-container/containers.yaml');
  });

  it.each(folders)('%s explains itself', (folder) => {
    expect(readFileSync(new URL(`${folder}/README.md`, examples), 'utf8')).toMatch(
      /kubectl apply -f examples\//,
    );
  });

  it.each(files)('%s holds only objects that the API server accepts', (file) => {
    const objects = objectsIn(file);
    expect(objects.length).toBeGreaterThan(0);
    for (const object of objects) {
      const kind = kinds.find(
        (known) => known.kind === object.kind && apiVersionOf(known) === object.apiVersion,
      );
      expect(kind).toBeDefined();
      if (kind === undefined) continue;
      expect(validatorOf(kind)(object)).toEqual([]);
      expect(kind.validate?.(object, undefined) ?? []).toEqual([]);
    }
  });
});
