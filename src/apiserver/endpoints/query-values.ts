import type { FieldFault } from '../../crds/kind.ts';
import { badRequest } from '../status.ts';

/** Single values of a query, and the faults that Kubernetes finds in them. */

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

export const isDryRun = (values: readonly string[]): boolean => values.includes('All');

export const dryRunFaults = (values: readonly string[]): FieldFault[] =>
  values.filter((value) => value !== 'All').map((value) => unsupportedValue('dryRun', value, ['All']));

export function fieldManagerFaults(fieldManager: string): FieldFault[] {
  const faults: FieldFault[] = [];
  if (Buffer.byteLength(fieldManager) > 128) {
    faults.push({
      field: 'fieldManager',
      reason: 'FieldValueInvalid',
      message: 'Too long: may not be more than 128 bytes',
    });
  }
  if (!/^[^\p{C}]*$/u.test(fieldManager)) {
    faults.push({
      field: 'fieldManager',
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(fieldManager)}: should not contain non-printable characters`,
    });
  }
  return faults;
}

export const optionsKind = (kind: string) => ({ group: 'meta.k8s.io', resource: '', kind });

export const forbiddenField = (field: string, why: string): FieldFault => ({
  field,
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${why}`,
});

export const unsupportedValue = (
  field: string,
  value: unknown,
  supported: readonly string[],
): FieldFault => ({
  field,
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported.map((one) => JSON.stringify(one)).join(', ')}`,
});

export function strings<Name extends string>(
  query: URLSearchParams,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  for (const name of names) {
    const value = query.get(name);
    if (value !== null && value !== '') found[name] = value;
  }
  return found;
}

export function integerOf(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^[+-]?\d+$/.test(value) || !Number.isSafeInteger(Number(value))) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  return Number(value);
}

export function booleanOf(query: URLSearchParams, name: string): boolean | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  if (value === '' || TRUE.has(value)) return true;
  if (FALSE.has(value)) return false;
  throw badRequest(`strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
}
