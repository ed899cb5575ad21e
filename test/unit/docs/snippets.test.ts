import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { kinds } from '../../../src/crds/kinds.ts';
import { API_VERSION } from '../../../src/crds/kind.ts';
import type { KubeObject } from '../../../src/crds/object.ts';
import { validatorOf } from '../../../src/crds/validator.ts';

const root = new URL('../../../', import.meta.url);
const pages = [
  'README.md',
  ...readdirSync(new URL('docs/user/', root)).map((name) => `docs/user/${name}`),
].filter((page) => page.endsWith('.md'));

const objectsIn = (page: string): KubeObject[] =>
  [...readFileSync(new URL(page, root), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)]
    .flatMap(([, text = '']) => parseAllDocuments(text))
    .map((document) => document.toJS() as KubeObject)
    .filter(({ apiVersion }) => apiVersion === API_VERSION);
const objects = pages.flatMap((page) =>
  objectsIn(page).map((object) => [page, object.metadata.name, object] as const),
);

describe('YAML in the documentation', () => {
  it('is there', () => {
    expect(objects.map(([page]) => page)).toContain('README.md');
  });

  it.each(objects)('%s: the API server takes %s', (_page, _name, object) => {
    const kind = kinds.find((known) => known.kind === object.kind);
    expect(kind).toBeDefined();
    if (kind === undefined) return;
    expect(validatorOf(kind)(object)).toEqual([]);
    expect(kind.validate?.(object, undefined) ?? []).toEqual([]);
  });
});
