import type { KubeObject } from '../../src/crds/object.ts';
import { HostlerError } from '../../src/ports/errors.ts';

/** Label and field selectors for fakes; the API server has its own. */
type Matches = (object: KubeObject) => boolean;

export function labelMatcher(selector: string | undefined): Matches {
  if (!selector) return () => true;
  const terms = selector.split(/,(?![^(]*\))/).map((term) => labelTerm(term.trim()));
  return (object) => terms.every((matches) => matches(object.metadata.labels ?? {}));
}

function labelTerm(term: string): (labels: Record<string, string>) => boolean {
  const [, setKey = '', operator, list = ''] = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(term) ?? [];
  if (operator) {
    const values = list.split(',').map((value) => value.trim());
    const isIn = (labels: Record<string, string>) =>
      setKey in labels && values.includes(labels[setKey] ?? '');
    return operator === 'in' ? isIn : (labels) => !isIn(labels);
  }
  const [, key = '', comparison, value] = /^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(term) ?? [];
  if (comparison) return (labels) => (labels[key] === value) === (comparison !== '!=');
  if (/^![^=]+$/.test(term)) return (labels) => !(term.slice(1) in labels);
  if (/^[^=!()\s]+$/.test(term)) return (labels) => term in labels;
  throw new HostlerError('Invalid', `unable to parse requirement: ${term}`);
}

/** @param known the paths that may be named, besides metadata.name and metadata.namespace */
export function fieldMatcher(selector: string | undefined, known: readonly string[]): Matches {
  if (!selector) return () => true;
  const terms = selector.split(',').map((term) => {
    const [, path = '', comparison, value = ''] = /^([^=!]+)(==|=|!=)(.*)$/.exec(term) ?? [];
    if (!['metadata.name', 'metadata.namespace', ...known].includes(path)) {
      throw new HostlerError('Invalid', `field label not supported: ${path || term}`);
    }
    return (object: KubeObject) => (fieldOf(object, path) === value) === (comparison !== '!=');
  });
  return (object) => terms.every((matches) => matches(object));
}

function fieldOf(object: KubeObject, path: string): string {
  let value: unknown = object;
  for (const name of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[name];
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}
