import type { FieldFault } from '../../crds/kind.ts';
import type { JsonSchema } from '../resource.ts';
import { invalidValue, tooLong, typeInvalid } from './fault.ts';
import { hasFormat } from './format.ts';
import { matches } from './pattern.ts';

export function stringFaults(schema: JsonSchema, text: string, path: string): FieldFault[] {
  const faults: FieldFault[] = [];
  const { minLength, maxLength, pattern, format } = schema;
  const length = minLength === undefined && maxLength === undefined ? 0 : codePoints(text);
  if (maxLength !== undefined && length > maxLength) faults.push(tooLong(path, maxLength));
  if (minLength !== undefined && length < minLength) {
    faults.push(invalidValue(path, text, `${path} in body should be at least ${minLength} chars long`));
  }
  if (pattern !== undefined && !matches(pattern, text)) {
    faults.push(invalidValue(path, text, `${path} in body should match '${pattern}'`));
  }
  if (format !== undefined && !hasFormat(format, text)) {
    faults.push(
      typeInvalid(path, text, `${path} in body must be of type ${format}: ${JSON.stringify(text)}`),
    );
  }
  return faults;
}

export function numberFaults(schema: JsonSchema, value: number, path: string): FieldFault[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, format } = schema;
  const faults: FieldFault[] = [];
  const refuse = (why: string): number => faults.push(invalidValue(path, value, `${path} in body ${why}`));
  if (minimum !== undefined) {
    if (exclusiveMinimum === true && value <= minimum) refuse(`should be greater than ${minimum}`);
    else if (value < minimum) refuse(`should be greater than or equal to ${minimum}`);
  }
  if (maximum !== undefined) {
    if (exclusiveMaximum === true && value >= maximum) refuse(`should be less than ${maximum}`);
    else if (value > maximum) refuse(`should be less than or equal to ${maximum}`);
  }
  if (multipleOf !== undefined && !isMultiple(value, multipleOf))
    refuse(`should be a multiple of ${multipleOf}`);
  if (format === 'int32' && (value < -(2 ** 31) || value >= 2 ** 31)) {
    refuse(`must be of type int32: "${value}"`);
  }
  return faults;
}

const isMultiple = (value: number, of: number): boolean =>
  Math.abs(value / of - Math.round(value / of)) < 1e-9;

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
