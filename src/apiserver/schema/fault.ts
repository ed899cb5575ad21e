import type { FieldFault } from '../../crds/kind.ts';
import { printed } from './value.ts';

/** The faults of Kubernetes' field package, worded as it words them. */

export const required = (field: string, detail = ''): FieldFault => ({
  field,
  reason: 'FieldValueRequired',
  message: detail === '' ? 'Required value' : `Required value: ${detail}`,
});

export const invalidValue = (field: string, value: unknown, detail: string): FieldFault => ({
  field,
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${printed(value)}: ${detail}`,
});

export const typeInvalid = (field: string, value: unknown, detail: string): FieldFault => ({
  field,
  reason: 'FieldValueTypeInvalid',
  message: `Invalid value: ${printed(value)}: ${detail}`,
});

export const unsupportedValue = (
  field: string,
  value: unknown,
  supported: readonly unknown[],
): FieldFault => ({
  field,
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: ${printed(value)}: supported values: ${supported
    .map((item) => JSON.stringify(typeof item === 'string' ? item : JSON.stringify(item)))
    .join(', ')}`,
});

export const forbiddenField = (field: string, detail: string): FieldFault => ({
  field,
  reason: 'FieldValueForbidden',
  message: detail === '' ? 'Forbidden' : `Forbidden: ${detail}`,
});

export const duplicate = (field: string, value: unknown): FieldFault => ({
  field,
  reason: 'FieldValueDuplicate',
  message: `Duplicate value: ${printed(value)}`,
});

export const tooLong = (field: string, maxBytes: number): FieldFault => ({
  field,
  reason: 'FieldValueTooLong',
  message: `Too long: may not be more than ${maxBytes} bytes`,
});

export const tooMany = (field: string, actual: number, max: number): FieldFault => ({
  field,
  reason: 'FieldValueTooMany',
  message: `Too many: ${actual}: must have at most ${max} items`,
});
