import type { FieldFault } from '../../crds/kind.ts';
import type { DeleteOptions } from '../registry/registry.ts';
import { ApiError, badRequest, invalid } from '../status.ts';
import {
  booleanOf,
  dryRunFaults,
  forbiddenField,
  integerOf,
  isDryRun,
  optionsKind,
  strings,
  unsupportedValue,
} from './query-values.ts';

/** How something is deleted: DeleteOptions, in the body or in the query. */

/** The fields of DeleteOptions, from the query when there is no body. */
export function deleteOptionsFromQuery(query: URLSearchParams): Record<string, unknown> {
  const gracePeriodSeconds = integerOf(query, 'gracePeriodSeconds');
  const orphanDependents = booleanOf(query, 'orphanDependents');
  return {
    ...strings(query, ['propagationPolicy']),
    ...(query.has('dryRun') ? { dryRun: query.getAll('dryRun') } : {}),
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(orphanDependents === undefined ? {} : { orphanDependents }),
  };
}

const POLICIES = ['Background', 'Foreground', 'Orphan'] as const;

/** DeleteOptions as they came in the body or the query. @throws ApiError 400, 422 */
export function toDeleteOptions(raw: Record<string, unknown>): DeleteOptions {
  const faults: FieldFault[] = [];
  const { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions } = raw;
  const dryRun = listOfStrings(raw['dryRun'], 'dryRun');
  faults.push(...dryRunFaults(dryRun));
  if (propagationPolicy !== undefined && !POLICIES.some((known) => known === propagationPolicy)) {
    faults.push(unsupportedValue('propagationPolicy', propagationPolicy, POLICIES));
  }
  if (orphanDependents !== undefined && propagationPolicy !== undefined) {
    faults.push({
      field: 'propagationPolicy',
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(propagationPolicy)}: orphanDependents and deletionPropagation cannot be both set`,
    });
  }
  if (raw['ignoreStoreReadErrorWithClusterBreakingPotential'] === true) {
    faults.push(
      forbiddenField('ignoreStoreReadErrorWithClusterBreakingPotential', 'not supported by this server'),
    );
  }
  if (faults.length > 0) throw invalid(optionsKind('DeleteOptions'), '', faults);
  const policy = propagationPolicy ?? orphanPolicy(orphanDependents);
  return {
    dryRun: isDryRun(dryRun),
    ...(gracePeriodSeconds === undefined || gracePeriodSeconds === null
      ? {}
      : { gracePeriodSeconds: wholeNumber(gracePeriodSeconds, 'gracePeriodSeconds') }),
    ...(policy === undefined
      ? {}
      : { propagationPolicy: policy as NonNullable<DeleteOptions['propagationPolicy']> }),
    ...(preconditions === undefined || preconditions === null
      ? {}
      : { preconditions: readPreconditions(preconditions) }),
  };
}

function orphanPolicy(orphanDependents: unknown): string | undefined {
  if (orphanDependents === undefined || orphanDependents === null) return undefined;
  return orphanDependents === true ? 'Orphan' : 'Background';
}

function readPreconditions(value: unknown): NonNullable<DeleteOptions['preconditions']> {
  const { uid, resourceVersion } = value as Record<string, unknown>;
  return {
    ...(typeof uid === 'string' ? { uid } : {}),
    ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
  };
}

function wholeNumber(value: unknown, name: string): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw badRequest(
    `json: cannot unmarshal ${typeof value} into Go struct field DeleteOptions.${name} of type int64`,
  );
}

function listOfStrings(value: unknown, name: string): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  throw new ApiError(
    400,
    'BadRequest',
    `json: cannot unmarshal ${typeof value} into Go struct field DeleteOptions.${name} of type []string`,
  );
}
