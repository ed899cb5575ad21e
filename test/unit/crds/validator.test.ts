import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { kinds } from '../../../src/crds/kinds.ts';
import { objectSchema } from '../../../src/crds/manifest.ts';
import { validatorOf } from '../../../src/crds/validator.ts';
import type { JsonSchema } from '../../../src/apiserver/resource.ts';
import { validate } from '../../../src/apiserver/schema/validate.ts';

describe.each(kinds.map((kind) => [kind.kind, kind] as const))('the two validators of %s', (_name, kind) => {
  const byAjv = validatorOf(kind);
  const schema = objectSchema(kind) as JsonSchema;

  it('agree about what is valid', () => {
    let valid = 0;
    fc.assert(
      fc.property(arbitraryOf(schema, 0), (object) => {
        const faults = validate(schema, object);
        valid += faults.length === 0 ? 1 : 0;
        expect({ object, isValid: faults.length === 0 }).toEqual({
          object,
          isValid: byAjv(object).length === 0,
        });
      }),
      { numRuns: 1_000 },
    );
    expect(valid).toBeGreaterThan(20);
  });
});

/** Values of a schema, now and then wrong in one place or another. */
function arbitraryOf(schema: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  const wrong = fc.constantFrom<unknown>(null, true, -1, 1.5, '', 'x', [], {}, [{}], { a: 1 });
  return fc.oneof({ weight: 400, arbitrary: rightValue(schema, depth) }, { weight: 1, arbitrary: wrong });
}

function rightValue(schema: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  if (schema['x-kubernetes-int-or-string'] === true)
    return fc.constantFrom<unknown>(0, 5, '1Gi', '500m', '2');
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -5, max: 100 });
    case 'string':
      return textOf(schema);
    case 'array':
      return fc.array(arbitraryOf(schema.items ?? {}, depth + 1), { maxLength: 3 });
    default:
      return objectOf(schema, depth);
  }
}

const TEXTS = [
  'web',
  'cluster',
  'eth0',
  '1s',
  '1m30s',
  'images:debian/12',
  'file:///x',
  '5Gi',
  'https://x/y',
  'A',
  '/srv',
  '',
];

function textOf(schema: JsonSchema): fc.Arbitrary<string> {
  if (schema.format === 'date-time')
    return fc.constantFrom('2026-01-02T03:04:05Z', '2026-01-02T03:04:05.5+01:00');
  const { pattern } = schema;
  if (pattern !== undefined) {
    const right = TEXTS.filter((text) => new RegExp(pattern).test(text));
    return fc.oneof({ weight: 50, arbitrary: fc.constantFrom(...right) }, fc.constantFrom(...TEXTS));
  }
  return fc.string({ minLength: schema.minLength ?? 0, maxLength: 5 });
}

function objectOf(schema: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  if (typeof schema.additionalProperties === 'object') {
    return fc.dictionary(fc.constantFrom('k', 'l'), arbitraryOf(schema.additionalProperties, depth + 1));
  }
  const shape = Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [
      name,
      arbitraryOf(property, depth + 1),
    ]),
  );
  return fc.record(shape, { requiredKeys: (schema.required ?? []).filter((name) => name in shape) });
}
