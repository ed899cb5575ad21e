import { isEqualJson } from '../schema/value.ts';
import type { FieldFault } from '../../crds/kind.ts';
import type { KubeObject } from '../../crds/object.ts';
import { forbiddenField, invalidValue } from '../schema/fault.ts';
import { isBase64 } from '../schema/format.ts';

/** What ConfigMaps and Secrets have in common. */

export const MAX_DATA_BYTES = 1024 * 1024;

const KEY = /^[-._a-zA-Z0-9]+$/;
const KEY_RULE =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

export function keyFaults(field: string, data: Readonly<Record<string, string>>): FieldFault[] {
  return Object.keys(data).flatMap((key) => {
    const fault = keyFault(key);
    return fault === undefined ? [] : [invalidValue(`${field}[${key}]`, key, fault)];
  });
}

function keyFault(key: string): string | undefined {
  if (key.length > 253) return 'must be no more than 253 characters';
  if (!KEY.test(key)) return KEY_RULE;
  if (key === '.') return "must not be '.'";
  if (key === '..') return "must not be '..'";
  return key.startsWith('..') ? "must not start with '..'" : undefined;
}

export function base64Faults(field: string, data: Readonly<Record<string, string>>): FieldFault[] {
  return Object.entries(data).flatMap(([key, value]) =>
    isBase64(value) ? [] : [invalidValue(`${field}[${key}]`, '<value>', 'must be standard base64')],
  );
}

export function sizeOf(data: Readonly<Record<string, string>>): number {
  return Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value), 0);
}

/** Once `immutable`, neither that nor any of `fields` changes. */
export function immutableFaults<T extends KubeObject & { immutable?: boolean }>(
  object: T,
  old: T,
  fields: readonly (keyof T & string)[],
): FieldFault[] {
  if (old.immutable !== true) return [];
  const why = 'field is immutable when `immutable` is set';
  const changed = fields.filter((field) => !isEqualJson(object[field], old[field]));
  return [
    ...(object.immutable === true ? [] : [forbiddenField('immutable', why)]),
    ...changed.map((field) => forbiddenField(field, why)),
  ];
}
