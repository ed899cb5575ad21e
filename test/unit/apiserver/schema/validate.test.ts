import { describe, expect, it } from '@jest/globals';
import type { JsonSchema } from '../../../../src/apiserver/resource.ts';
import { validate } from '../../../../src/apiserver/schema/validate.ts';

const text: JsonSchema = { type: 'string' };

describe('validate', () => {
  const faulty: [string, JsonSchema, unknown, string[]][] = [
    [
      'a text for a number',
      { type: 'integer' },
      'x',
      ['Invalid value: "string": spec.x in body must be of type integer: "string"'],
    ],
    [
      'a fraction for an integer',
      { type: 'integer' },
      1.5,
      ['Invalid value: "number": spec.x in body must be of type integer: "number"'],
    ],
    [
      'a list for an object',
      { type: 'object' },
      [],
      ['Invalid value: "array": spec.x in body must be of type object: "array"'],
    ],
    ['null', text, null, ['Invalid value: "null": spec.x in body must be of type string: "null"']],
    [
      'a boolean for a quantity',
      { 'x-kubernetes-int-or-string': true },
      true,
      ['Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"'],
    ],
    [
      'what is not in the enumeration',
      { type: 'string', enum: ['A', 'B'] },
      'Foo',
      ['Unsupported value: "Foo": supported values: "A", "B"'],
    ],
    [
      'what does not match',
      { type: 'string', pattern: '^a+$' },
      'b',
      ['Invalid value: "b": spec.x in body should match \'^a+$\''],
    ],
    [
      'too short a text',
      { type: 'string', minLength: 1 },
      '',
      ['Invalid value: "": spec.x in body should be at least 1 chars long'],
    ],
    ['too long a text', { type: 'string', maxLength: 2 }, 'abc', ['Too long: may not be more than 2 bytes']],
    [
      'no date',
      { type: 'string', format: 'date-time' },
      'now',
      ['Invalid value: "now": spec.x in body must be of type date-time: "now"'],
    ],
    [
      'too small a number',
      { type: 'integer', minimum: 1 },
      0,
      ['Invalid value: 0: spec.x in body should be greater than or equal to 1'],
    ],
    [
      'too large a number',
      { type: 'number', maximum: 1.5 },
      2,
      ['Invalid value: 2: spec.x in body should be less than or equal to 1.5'],
    ],
    [
      'an excluded limit',
      { type: 'integer', minimum: 1, exclusiveMinimum: true },
      1,
      ['Invalid value: 1: spec.x in body should be greater than 1'],
    ],
    [
      'no multiple',
      { type: 'number', multipleOf: 0.1 },
      0.25,
      ['Invalid value: 0.25: spec.x in body should be a multiple of 0.1'],
    ],
    [
      'too few items',
      { type: 'array', minItems: 2, items: text },
      ['a'],
      ['Invalid value: 1: spec.x in body should have at least 2 items'],
    ],
    [
      'too many items',
      { type: 'array', maxItems: 1, items: text },
      ['a', 'b'],
      ['Too many: 2: must have at most 1 items'],
    ],
    [
      'too many properties',
      { type: 'object', maxProperties: 1 },
      { a: 1, b: 2 },
      ['Too many: 2: must have at most 1 items'],
    ],
    [
      'a repeated item of a set',
      { type: 'array', 'x-kubernetes-list-type': 'set', items: text },
      ['a', 'b', 'a'],
      ['Duplicate value: "a"'],
    ],
    [
      'none of the alternatives',
      { anyOf: [{ required: ['a'] }, { required: ['b'] }] },
      {},
      ['Invalid value: "": "spec.x" must validate at least one schema (anyOf)'],
    ],
    [
      'two of exclusive alternatives',
      { oneOf: [{ required: ['a'] }, { required: ['b'] }] },
      { a: 1, b: 1 },
      [
        'Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives',
      ],
    ],
    [
      'what is excluded',
      { not: { required: ['a'] } },
      { a: 1 },
      ['Invalid value: "": "spec.x" must not validate the schema (not)'],
    ],
    [
      'an embedded object without a kind',
      { type: 'object', 'x-kubernetes-embedded-resource': true },
      { apiVersion: 'v1' },
      ['Required value: must not be empty'],
    ],
  ];
  it.each(faulty)('finds %s', (_what, schema, value, messages) => {
    expect(validate(schema, value, 'spec.x').map(({ message }) => message)).toEqual(messages);
  });

  it.each<[string, JsonSchema, unknown]>([
    ['null where it is allowed', { type: 'string', nullable: true }, null],
    ['an integer for a number', { type: 'number' }, 1],
    [
      'a text for a quantity',
      { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
      '5',
    ],
    ['an integer that is written as 1.0', { type: 'integer' }, 1.0],
    ['letters outside of the basic plane as one each', { type: 'string', maxLength: 1 }, '😀'],
    ['a format that nobody knows', { type: 'string', format: 'colour' }, 'x'],
    [
      'fields named like those of Object',
      { type: 'object', properties: {} },
      { constructor: 1, toString: 2 },
    ],
  ])('accepts %s', (_what, schema, value) => {
    expect(validate(schema, value, 'spec.x')).toEqual([]);
  });

  it('says where', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: {
        list: { type: 'array', items: { type: 'object', required: ['name'], properties: { name: text } } },
        map: { type: 'object', additionalProperties: text },
      },
    };
    const faults = validate(schema, { list: [{ name: 'a' }, {}], map: { 'x.y': 1 } }, 'spec');
    expect(faults.map(({ field }) => field)).toEqual(['spec.list[1].name', 'spec.map.x.y']);
  });
});
