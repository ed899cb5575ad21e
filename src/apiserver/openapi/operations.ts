import type { CatalogEntry } from '../discovery/catalog.ts';
import { metaName } from './meta-schemas.ts';
import { schemaName } from './schemas.ts';

/**
 * The operations on each resource, in a form from which OpenAPI v2 and v3 are both written. kubectl reads from them which
 * query parameters a kind takes and which kind a path serves.
 */
export interface Operation {
  path: string;
  method: 'get' | 'put' | 'post' | 'delete' | 'patch';
  id: string;
  description: string;
  /** `list`, `patch`, …: x-kubernetes-action. */
  action: string;
  entry: CatalogEntry;
  parameters: Parameter[];
  /** Name of the schema of the request's body, and its media types. */
  body?: { schema: string; types: string[] };
  /** Name of the schema of the answer. */
  answer: string;
  /** The status with which it succeeds. */
  code: '200' | '201';
}

export interface Parameter {
  name: string;
  in: 'path' | 'query';
  type: 'string' | 'integer' | 'boolean';
  description: string;
}

const query = (name: string, type: Parameter['type'], description: string): Parameter => ({
  name,
  in: 'query',
  type,
  description,
});

const PRETTY = query('pretty', 'string', 'Whether the answer is indented.');
const DRY_RUN = query('dryRun', 'string', 'All: everything is checked and nothing is stored.');
const WRITE = [
  DRY_RUN,
  query('fieldManager', 'string', 'Who makes the change.'),
  query(
    'fieldValidation',
    'string',
    'What happens with unknown and repeated fields: Ignore, Warn or Strict.',
  ),
];
const DELETE = [
  DRY_RUN,
  query('gracePeriodSeconds', 'integer', 'How long the object may take to end.'),
  query('orphanDependents', 'boolean', 'Older form of propagationPolicy.'),
  query('propagationPolicy', 'string', 'Orphan, Background or Foreground.'),
];
const LIST = [
  query('allowWatchBookmarks', 'boolean', 'Whether a watch tells how far it has come.'),
  query('continue', 'string', 'Asks for the next page.'),
  query('fieldSelector', 'string', 'Only objects with these fields.'),
  query('labelSelector', 'string', 'Only objects with these labels.'),
  query('limit', 'integer', 'At most so many on a page.'),
  query('resourceVersion', 'string', 'The state to list, or to watch from.'),
  query('resourceVersionMatch', 'string', 'How resourceVersion is meant: Exact or NotOlderThan.'),
  query('sendInitialEvents', 'boolean', 'Whether a watch begins with what there is.'),
  query('timeoutSeconds', 'integer', 'How long a watch lasts at most.'),
  query('watch', 'boolean', 'Changes as they happen instead of a list.'),
];
const NAME: Parameter = { name: 'name', in: 'path', type: 'string', description: 'Name of the object.' };
const NAMESPACE: Parameter = {
  name: 'namespace',
  in: 'path',
  type: 'string',
  description: 'Namespace of the object.',
};
const JSON_AND_YAML = ['application/json', 'application/yaml'];

export function operationsOf(entry: CatalogEntry): Operation[] {
  const { group, version, namespaced, resource, definition } = entry;
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const scoped = namespaced ? `${base}/namespaces/{namespace}/${resource}` : `${base}/${resource}`;
  const scope = namespaced ? [NAMESPACE] : [];
  const collection = operationMaker(entry, scoped, scope);
  const kind = schemaName(entry, entry.kind);
  if (definition === undefined && !entry.verbs.includes('create')) return [];
  const create = collection('post', {
    body: { schema: kind, types: JSON_AND_YAML },
    answer: kind,
    code: '201',
    parameters: WRITE,
  });
  if (definition === undefined) return [create];
  const listKind = schemaName(entry, definition.listKind);
  const status = metaName('Status');
  const list = { answer: listKind, action: 'list', parameters: LIST };
  const operations = [
    collection('get', list),
    create,
    collection('delete', { answer: status, action: 'deletecollection', parameters: [...DELETE, ...LIST] }),
    ...objectOperations(entry, operationMaker(entry, `${scoped}/{name}`, [...scope, NAME]), true),
  ];
  for (const subresource of entry.subresources.keys()) {
    const make = operationMaker(entry, `${scoped}/{name}/${subresource}`, [...scope, NAME]);
    operations.push(...objectOperations(entry, make, false));
  }
  if (namespaced) operations.push(operationMaker(entry, `${base}/${resource}`, [])('get', list));
  return operations.filter(({ action }) => entry.verbs.includes(VERB_OF[action] ?? action));
}

const VERB_OF: Record<string, string> = { post: 'create', put: 'update' };

type Made = Partial<Pick<Operation, 'body' | 'action' | 'code'>> & Pick<Operation, 'answer' | 'parameters'>;
type Make = (method: Operation['method'], made: Made) => Operation;

function operationMaker(entry: CatalogEntry, path: string, scope: readonly Parameter[]): Make {
  return (method, made) => {
    const action = made.action ?? method;
    return {
      path,
      method,
      entry,
      action,
      id: operationId(action, path),
      description: `${DESCRIPTIONS[action]} ${entry.kind}`,
      code: '200',
      ...made,
      parameters: [...scope, PRETTY, ...made.parameters],
    };
  };
}

const DESCRIPTIONS: Record<string, string> = {
  get: 'read the specified',
  list: 'list or watch objects of kind',
  post: 'create a',
  put: 'replace the specified',
  patch: 'partially update the specified',
  delete: 'delete a',
  deletecollection: 'delete collection of',
};

/** `patch_apis_hostler.dev_v1alpha1_containers_name`, unique and stable. */
function operationId(action: string, path: string): string {
  return `${action}${path.replaceAll(/[{}]/g, '').replaceAll('/', '_')}`;
}

function objectOperations(entry: CatalogEntry, make: Make, canDelete: boolean): Operation[] {
  const kind = schemaName(entry, entry.kind);
  const patchTypes = [
    'application/json-patch+json',
    'application/merge-patch+json',
    ...(entry.definition?.isCustom === true ? [] : ['application/strategic-merge-patch+json']),
  ];
  const operations = [
    make('get', { answer: kind, parameters: [] }),
    make('put', { answer: kind, body: { schema: kind, types: JSON_AND_YAML }, parameters: WRITE }),
    make('patch', {
      answer: kind,
      body: { schema: metaName('Patch'), types: patchTypes },
      parameters: WRITE,
    }),
  ];
  if (!canDelete) return operations;
  const body = { schema: metaName('DeleteOptions'), types: JSON_AND_YAML };
  return [...operations, make('delete', { answer: metaName('Status'), body, parameters: DELETE })];
}
