import type { KubeObject } from '../../crds/object.ts';
import type { ResourceDefinition } from '../resource.ts';
import { badRequest } from '../status.ts';
import { evaluateJsonPath } from './json-path.ts';

/** A field selector as requirements that all must hold. */
export type FieldSelector = readonly FieldRequirement[];

export interface FieldRequirement {
  /** `metadata.name`, `status.nodeName` */
  field: string;
  isEqual: boolean;
  value: string;
}

type Selectable = Pick<ResourceDefinition, 'selectableFields' | 'isCustom'>;

const METADATA_FIELDS = ['metadata.name', 'metadata.namespace'];

/**
 * Parses `metadata.name=web,status.nodeName!=host-1`; `\` escapes a comma, an equals sign or itself.
 * @throws ApiError 400 on a syntax error and on a field that `definition` does not offer
 */
export function parseFieldSelector(text: string, definition: Selectable): FieldSelector {
  return splitTerms(text)
    .filter((term) => term !== '')
    .map((term) => {
      const found = /^((?:\\.|[^\\=!])*?)(!=|==|=)([^]*)$/.exec(term);
      if (found === null) {
        throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
      }
      const [, field, operator, value] = found as unknown as [string, string, string, string];
      checkField(field, definition);
      return { field, isEqual: operator !== '!=', value: unescapeValue(value, text) };
    });
}

export function matchesFields(selector: FieldSelector, object: KubeObject): boolean {
  return selector.every(({ field, isEqual, value }) => (fieldValue(object, field) === value) === isEqual);
}

/** The value of a selectable field as text; empty when it is not set. */
export function fieldValue(object: KubeObject, field: string): string {
  if (field === 'metadata.name') return object.metadata.name;
  if (field === 'metadata.namespace') return object.metadata.namespace ?? '';
  const [value] = evaluateJsonPath(object, `.${field}`);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : '';
}

/** The one value that `field` must have for `selector` to hold; undefined when it may have several. */
export function requiredValue(selector: FieldSelector, field: string): string | undefined {
  return selector.find((requirement) => requirement.isEqual && requirement.field === field)?.value;
}

function checkField(field: string, { selectableFields, isCustom }: Selectable): void {
  if (METADATA_FIELDS.includes(field) || selectableFields.includes(field)) return;
  if (isCustom || selectableFields.length > 0) throw badRequest(`field label not supported: ${field}`);
  throw badRequest(
    `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
}

function splitTerms(text: string): string[] {
  return [...text.matchAll(/((?:\\[^]|[^\\,]|\\$)*)(,|$)/g)].map(([, term]) => term as string);
}

function unescapeValue(value: string, text: string): string {
  if (/(^|[^\\])(\\\\)*=/.test(value) || /\\($|[^\\,=])/.test(value.replaceAll('\\\\', ''))) {
    throw badRequest(`invalid field selector: ${text}: invalid value ${JSON.stringify(value)}`);
  }
  return value.replaceAll(/\\([^])/g, '$1');
}
