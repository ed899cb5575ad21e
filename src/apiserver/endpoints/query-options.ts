import type { FieldFault } from '../../crds/kind.ts';
import type { ListQuery, WatchQuery, WriteOptions } from '../registry/registry.ts';
import { invalid } from '../status.ts';
import {
  booleanOf,
  dryRunFaults,
  fieldManagerFaults,
  forbiddenField,
  integerOf,
  isDryRun,
  optionsKind,
  strings,
  unsupportedValue,
} from './query-values.ts';

/**
 * Query parameters, read strictly: a value that Kubernetes would refuse is refused in its words. A parameter that nobody
 * knows is not an error there, but it is not passed over in silence either: see unknownParameters.
 */

const KNOWN = new Set([
  'pretty',
  'includeObject',
  'timeout',
  'limit',
  'continue',
  'resourceVersion',
  'resourceVersionMatch',
  'labelSelector',
  'fieldSelector',
  'watch',
  'allowWatchBookmarks',
  'sendInitialEvents',
  'timeoutSeconds',
  'dryRun',
  'fieldManager',
  'fieldValidation',
  'force',
  'gracePeriodSeconds',
  'propagationPolicy',
  'orphanDependents',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
]);

export function unknownParameters(query: URLSearchParams): string[] {
  return [...new Set(query.keys())].filter((name) => !KNOWN.has(name));
}

export function readPretty(query: URLSearchParams): boolean {
  return booleanOf(query, 'pretty') ?? false;
}

/** @throws ApiError 400 for what is no number or truth value; 422 for combinations that are not allowed */
export function readListQuery(query: URLSearchParams, namespace: string | undefined): ListQuery {
  const limit = integerOf(query, 'limit');
  const list: ListQuery = {
    ...(namespace === undefined ? {} : { namespace }),
    ...strings(query, [
      'labelSelector',
      'fieldSelector',
      'continue',
      'resourceVersion',
      'resourceVersionMatch',
    ]),
    ...(limit === undefined || limit <= 0 ? {} : { limit }),
  };
  refuseListFaults(query, list);
  return list;
}

/** Also says how long the watch may last, in seconds; undefined when the client leaves that to the server. */
export function readWatchQuery(query: URLSearchParams, namespace: string | undefined): WatchQuery {
  const allowWatchBookmarks = booleanOf(query, 'allowWatchBookmarks');
  const sendInitialEvents = booleanOf(query, 'sendInitialEvents');
  const timeoutSeconds = integerOf(query, 'timeoutSeconds');
  const watch: WatchQuery = {
    ...(namespace === undefined ? {} : { namespace }),
    ...strings(query, ['labelSelector', 'fieldSelector', 'resourceVersion', 'resourceVersionMatch']),
    ...(allowWatchBookmarks === undefined ? {} : { allowWatchBookmarks }),
    ...(sendInitialEvents === undefined ? {} : { sendInitialEvents }),
    ...(timeoutSeconds === undefined || timeoutSeconds <= 0 ? {} : { timeoutSeconds }),
  };
  const faults: FieldFault[] = [];
  if (sendInitialEvents !== undefined && watch.resourceVersionMatch !== 'NotOlderThan') {
    faults.push(
      forbiddenField(
        'resourceVersionMatch',
        `sendInitialEvents requires setting resourceVersionMatch to NotOlderThan`,
      ),
    );
  }
  if (sendInitialEvents === undefined && watch.resourceVersionMatch !== undefined) {
    faults.push(
      forbiddenField(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      ),
    );
  }
  if (faults.length > 0) throw invalid(optionsKind('ListOptions'), '', faults);
  return watch;
}

export type WriteVerb = 'create' | 'update' | 'patch';
const OPTIONS_KIND: Record<WriteVerb, string> = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  patch: 'PatchOptions',
};
const FIELD_VALIDATIONS = ['Ignore', 'Strict', 'Warn'] as const;

export function readWriteOptions(query: URLSearchParams, verb: WriteVerb): WriteOptions {
  const faults = [
    ...dryRunFaults(query.getAll('dryRun')),
    ...fieldManagerFaults(query.get('fieldManager') ?? ''),
  ];
  const fieldValidation = query.get('fieldValidation') ?? '';
  if (fieldValidation !== '' && !FIELD_VALIDATIONS.some((known) => known === fieldValidation)) {
    faults.push(unsupportedValue('fieldValidation', fieldValidation, ['', ...FIELD_VALIDATIONS]));
  }
  if (verb === 'patch' && query.has('force')) {
    faults.push(forbiddenField('force', 'may not be specified for non-apply patch'));
  }
  if (faults.length > 0) throw invalid(optionsKind(OPTIONS_KIND[verb]), '', faults);
  const fieldManager = query.get('fieldManager');
  return {
    dryRun: isDryRun(query.getAll('dryRun')),
    fieldValidation: fieldValidation === '' ? 'Warn' : (fieldValidation as WriteOptions['fieldValidation']),
    ...(fieldManager === null || fieldManager === '' ? {} : { fieldManager }),
  };
}

function refuseListFaults(query: URLSearchParams, list: ListQuery): void {
  const faults: FieldFault[] = [];
  const { resourceVersion = '', resourceVersionMatch } = list;
  if (query.has('sendInitialEvents')) {
    faults.push(forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  if (resourceVersionMatch !== undefined) {
    if (resourceVersion === '') {
      faults.push(
        forbiddenField(
          'resourceVersionMatch',
          'resourceVersionMatch is forbidden unless resourceVersion is provided',
        ),
      );
    }
    if (list.continue !== undefined) {
      faults.push(
        forbiddenField('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'),
      );
    }
    if (resourceVersionMatch !== 'Exact' && resourceVersionMatch !== 'NotOlderThan') {
      faults.push(
        unsupportedValue('resourceVersionMatch', resourceVersionMatch, ['Exact', 'NotOlderThan', '']),
      );
    } else if (resourceVersionMatch === 'Exact' && resourceVersion === '0') {
      faults.push(
        forbiddenField(
          'resourceVersionMatch',
          'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        ),
      );
    }
  }
  if (faults.length > 0) throw invalid(optionsKind('ListOptions'), '', faults);
}
