import type { FieldFault } from '../../crds/kind.ts';
import type { JsonSchema } from '../resource.ts';
import { invalidValue, required, tooMany, typeInvalid, unsupportedValue } from './fault.ts';
import { listTypeFaults } from './list-type.ts';
import { numberFaults, stringFaults } from './scalar.ts';
import { child, isEqualJson, isMap, type JsonMap, typeName } from './value.ts';
import { propertyOf } from './prune.ts';

/**
 * Checks `value` against an OpenAPI v3 structural schema, as apiextensions does, with its words. The schema is
 * interpreted: nothing is compiled, so users' own large schemas cost nothing until they are used.
 * @returns every fault, none when `value` is valid; never throws for any value
 */
export function validate(schema: JsonSchema, value: unknown, path = ''): FieldFault[] {
  if (value === null && schema.nullable === true) return [];
  const type = typeFault(schema, value, path);
  if (type !== undefined) return [type];
  return [
    ...valueFaults(schema, value, path),
    ...combinationFaults(schema, value, path),
    ...enumFaults(schema, value, path),
  ];
}

function typeFault(schema: JsonSchema, value: unknown, path: string): FieldFault | undefined {
  const allowed = schema['x-kubernetes-int-or-string'] === true ? 'integer,string' : schema.type;
  if (allowed === undefined) return undefined;
  const actual = typeName(value);
  if (allowed.split(',').includes(actual) || (allowed === 'number' && actual === 'integer')) return undefined;
  return typeInvalid(path, actual, `${path} in body must be of type ${allowed}: "${actual}"`);
}

function valueFaults(schema: JsonSchema, value: unknown, path: string): FieldFault[] {
  if (typeof value === 'string') return stringFaults(schema, value, path);
  if (typeof value === 'number') return numberFaults(schema, value, path);
  if (Array.isArray(value)) return arrayFaults(schema, value, path);
  return isMap(value) ? objectFaults(schema, value, path) : [];
}

function arrayFaults(schema: JsonSchema, items: readonly unknown[], path: string): FieldFault[] {
  const faults: FieldFault[] = [];
  const { minItems, maxItems } = schema;
  if (maxItems !== undefined && items.length > maxItems) return [tooMany(path, items.length, maxItems)];
  if (minItems !== undefined && items.length < minItems) {
    faults.push(invalidValue(path, items.length, `${path} in body should have at least ${minItems} items`));
  }
  for (const [index, item] of items.entries()) {
    if (schema.items !== undefined) faults.push(...validate(schema.items, item, `${path}[${index}]`));
  }
  return [...faults, ...listTypeFaults(schema, items, path)];
}

function objectFaults(schema: JsonSchema, value: JsonMap, path: string): FieldFault[] {
  const faults: FieldFault[] = [];
  const count = Object.keys(value).length;
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    faults.push(tooMany(path, count, schema.maxProperties));
  }
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    faults.push(
      invalidValue(path, count, `${path} in body should have at least ${schema.minProperties} properties`),
    );
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name) || value[name] === undefined) faults.push(required(child(path, name)));
  }
  for (const [name, item] of Object.entries(value)) {
    const property = propertyOf(schema, name);
    if (property !== undefined && item !== undefined)
      faults.push(...validate(property, item, child(path, name)));
  }
  if (schema['x-kubernetes-embedded-resource'] === true) faults.push(...embeddedFaults(value, path));
  return faults;
}

function embeddedFaults(value: JsonMap, path: string): FieldFault[] {
  const faults: FieldFault[] = [];
  for (const name of ['apiVersion', 'kind']) {
    const field = child(path, name);
    if (value[name] === undefined || value[name] === '') faults.push(required(field, 'must not be empty'));
    else if (typeof value[name] !== 'string')
      faults.push(
        typeInvalid(
          field,
          typeName(value[name]),
          `${field} in body must be of type string: "${typeName(value[name])}"`,
        ),
      );
  }
  return faults;
}

function enumFaults(schema: JsonSchema, value: unknown, path: string): FieldFault[] {
  if (schema.enum === undefined || schema.enum.some((allowed) => isEqualJson(allowed, value))) return [];
  return [unsupportedValue(path, value, schema.enum)];
}

function combinationFaults(schema: JsonSchema, value: unknown, path: string): FieldFault[] {
  const faults: FieldFault[] = [];
  const holds = (part: JsonSchema): boolean => validate(part, value, path).length === 0;
  const refuse = (why: string): number => faults.push(invalidValue(path, '', `"${path}" ${why}`));
  if (
    schema.anyOf !== undefined &&
    schema['x-kubernetes-int-or-string'] !== true &&
    !schema.anyOf.some(holds)
  ) {
    refuse('must validate at least one schema (anyOf)');
  }
  const one = schema.oneOf?.filter(holds).length ?? 1;
  if (one === 0) refuse('must validate one and only one schema (oneOf). Found none valid');
  if (one > 1) refuse(`must validate one and only one schema (oneOf). Found ${one} valid alternatives`);
  for (const part of schema.allOf ?? []) faults.push(...validate(part, value, path));
  if (schema.not !== undefined && holds(schema.not)) refuse('must not validate the schema (not)');
  return faults;
}
