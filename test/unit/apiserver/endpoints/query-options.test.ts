import { describe, expect, it } from '@jest/globals';
import {
  deleteOptionsFromQuery,
  toDeleteOptions,
} from '../../../../src/apiserver/endpoints/delete-options.ts';
import {
  readListQuery,
  readWatchQuery,
  readWriteOptions,
  unknownParameters,
} from '../../../../src/apiserver/endpoints/query-options.ts';

const query = (text: string): URLSearchParams => new URLSearchParams(text);

describe('lists and watches', () => {
  it('takes what is there', () => {
    expect(readListQuery(query('limit=5&continue=abc&labelSelector=a%3Db'), 'ns')).toEqual({
      namespace: 'ns',
      limit: 5,
      continue: 'abc',
      labelSelector: 'a=b',
    });
    expect(
      readWatchQuery(query('resourceVersion=7&allowWatchBookmarks=true&timeoutSeconds=3'), undefined),
    ).toEqual({ resourceVersion: '7', allowWatchBookmarks: true, timeoutSeconds: 3 });
  });

  it.each([
    ['limit=1.5', 'strconv.ParseInt: parsing "1.5": invalid syntax'],
    ['resourceVersionMatch=Exact', 'is forbidden unless resourceVersion is provided'],
    ['resourceVersion=0&resourceVersionMatch=Exact', 'forbidden for resourceVersion "0"'],
    ['resourceVersion=5&resourceVersionMatch=Later', 'Unsupported value: "Later"'],
    ['sendInitialEvents=true', 'sendInitialEvents is forbidden for list'],
    [
      'continue=x&resourceVersion=5&resourceVersionMatch=Exact',
      'resourceVersionMatch is forbidden when continue is provided',
    ],
  ])('list?%s is refused', (text, message) => {
    expect(() => readListQuery(query(text), undefined)).toThrow(message);
  });

  it.each([
    ['sendInitialEvents=true', 'requires setting resourceVersionMatch to NotOlderThan'],
    ['resourceVersionMatch=NotOlderThan', 'forbidden for watch unless sendInitialEvents is provided'],
    ['allowWatchBookmarks=perhaps', 'strconv.ParseBool: parsing "perhaps": invalid syntax'],
  ])('watch?%s is refused', (text, message) => {
    expect(() => readWatchQuery(query(text), undefined)).toThrow(message);
  });
});

describe('writes', () => {
  it('has the defaults of Kubernetes', () => {
    expect(readWriteOptions(query(''), 'create')).toEqual({ dryRun: false, fieldValidation: 'Warn' });
  });

  it('takes what is there', () => {
    expect(readWriteOptions(query('dryRun=All&fieldManager=me&fieldValidation=Strict'), 'update')).toEqual({
      dryRun: true,
      fieldManager: 'me',
      fieldValidation: 'Strict',
    });
  });

  it.each([
    [
      'create',
      'dryRun=Some',
      'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: "Some": supported values: "All"',
    ],
    [
      'update',
      'fieldValidation=Lax',
      'UpdateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Lax": supported values: "", "Ignore", "Strict", "Warn"',
    ],
    ['patch', 'force=true', 'force: Forbidden: may not be specified for non-apply patch'],
    ['create', `fieldManager=${'x'.repeat(129)}`, 'fieldManager: Too long'],
    ['create', 'fieldManager=a%0Ab', 'should not contain non-printable characters'],
  ] as const)('%s?%s is refused', (verb, text, message) => {
    expect(() => readWriteOptions(query(text), verb)).toThrow(message);
  });
});

describe('deletes', () => {
  it.each([
    ['', { dryRun: false }],
    ['gracePeriodSeconds=0', { dryRun: false, gracePeriodSeconds: 0 }],
    ['propagationPolicy=Foreground&dryRun=All', { dryRun: true, propagationPolicy: 'Foreground' }],
    ['orphanDependents=true', { dryRun: false, propagationPolicy: 'Orphan' }],
    ['orphanDependents=false', { dryRun: false, propagationPolicy: 'Background' }],
  ])('?%s', (text, expected) => {
    expect(toDeleteOptions(deleteOptionsFromQuery(query(text)))).toEqual(expected);
  });

  it('reads a body', () => {
    expect(
      toDeleteOptions({
        kind: 'DeleteOptions',
        gracePeriodSeconds: null,
        preconditions: { uid: 'u', resourceVersion: '7' },
      }),
    ).toEqual({ dryRun: false, preconditions: { uid: 'u', resourceVersion: '7' } });
  });

  it.each<[object, string]>([
    [
      { propagationPolicy: 'Sometimes' },
      'propagationPolicy: Unsupported value: "Sometimes": supported values: "Background", "Foreground", "Orphan"',
    ],
    [{ orphanDependents: true, propagationPolicy: 'Orphan' }, 'cannot be both set'],
    [{ gracePeriodSeconds: 'soon' }, 'cannot unmarshal string'],
    [{ dryRun: 'All' }, 'cannot unmarshal string'],
    [{ dryRun: ['Most'] }, 'dryRun: Unsupported value: "Most"'],
    [{ ignoreStoreReadErrorWithClusterBreakingPotential: true }, 'not supported'],
  ])('%j is refused', (body, message) => {
    expect(() => toDeleteOptions(body as Record<string, unknown>)).toThrow(message);
  });
});

it('names parameters that nobody knows, once', () => {
  expect(unknownParameters(query('limit=1&colour=red&colour=blue&timeout=5s'))).toEqual(['colour']);
});
