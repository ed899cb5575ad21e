import type { FieldFault } from '../../crds/kind.ts';
import { forbiddenField, unsupportedValue } from '../schema/fault.ts';
import { ApiError, badRequest, invalid } from '../status.ts';
import type { ListQuery, WatchQuery } from './registry.ts';

/** What `resourceVersion` and its match ask for in reads, with Kubernetes' words for what does not go together. */

/** @throws ApiError 400 */
export function parseResourceVersion(text: string): number {
  const revision = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(revision)) return revision;
  throw badRequest(
    `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

/** - `consistent`: the latest; `cached`: whatever the cache has, at least `revision`; `exact`: as of `revision` */
export type Freshness =
  | { read: 'consistent' }
  | { read: 'cached'; revision: number }
  | { read: 'exact'; revision: number };

/** @throws ApiError 400, 422 */
export function listFreshness(query: ListQuery): Freshness {
  const { resourceVersion = '', resourceVersionMatch = '', limit = 0 } = query;
  refuse(listFaults(query));
  if (query.continue !== undefined && query.continue !== '') {
    if (resourceVersion !== '' && resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    return { read: 'consistent' };
  }
  if (resourceVersion === '') return { read: 'consistent' };
  const revision = parseResourceVersion(resourceVersion);
  const isExact =
    resourceVersionMatch === 'Exact' || (resourceVersionMatch === '' && limit > 0 && revision > 0);
  return { read: isExact ? 'exact' : 'cached', revision };
}

function listFaults(query: ListQuery): FieldFault[] {
  const { resourceVersion = '', resourceVersionMatch: match = '' } = query;
  const field = 'resourceVersionMatch';
  if (match === '') return [];
  const faults: FieldFault[] = [];
  if (resourceVersion === '') {
    faults.push(
      forbiddenField(field, 'resourceVersionMatch is forbidden unless resourceVersion is provided'),
    );
  }
  if ((query.continue ?? '') !== '') {
    faults.push(forbiddenField(field, 'resourceVersionMatch is forbidden with continue'));
  }
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    faults.push(unsupportedValue(field, match, ['Exact', 'NotOlderThan', '']));
  }
  if (match === 'Exact' && resourceVersion === '0') {
    faults.push(forbiddenField(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  return faults;
}

/** @throws ApiError 422 */
export function checkWatchOptions({ sendInitialEvents, resourceVersionMatch: match = '' }: WatchQuery): void {
  const field = 'resourceVersionMatch';
  const faults: FieldFault[] = [];
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    faults.push(
      forbiddenField(field, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'),
    );
  }
  if (match !== '') {
    if (sendInitialEvents === undefined) {
      faults.push(
        forbiddenField(
          field,
          'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
        ),
      );
    }
    if (match !== 'NotOlderThan') faults.push(unsupportedValue(field, match, ['NotOlderThan']));
  }
  refuse(faults);
}

function refuse(faults: readonly FieldFault[]): void {
  if (faults.length === 0) return;
  throw invalid({ group: 'meta.k8s.io', resource: 'listoptions', kind: 'ListOptions' }, '', faults);
}

/** 504: the client is ahead of this server; it may try again. */
export function tooLargeResourceVersion(revision: number, current: number): ApiError {
  return new ApiError(504, 'Timeout', `Too large resource version: ${revision}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}
