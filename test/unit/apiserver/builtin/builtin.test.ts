import { describe, expect, it } from '@jest/globals';
import { configMapResource } from '../../../../src/apiserver/builtin/config-map.ts';
import { allDefinitions } from '../../../../src/apiserver/builtin/definitions.ts';
import { eventResource } from '../../../../src/apiserver/builtin/event.ts';
import { humanDuration } from '../../../../src/apiserver/builtin/human-duration.ts';
import { leaseResource } from '../../../../src/apiserver/builtin/lease.ts';
import { secretResource } from '../../../../src/apiserver/builtin/secret.ts';
import type { ResourceDefinition } from '../../../../src/apiserver/resource.ts';
import type { KubeObject } from '../../../../src/crds/object.ts';

const NOW_MS = Date.UTC(2026, 0, 1, 12);
const object = (fields: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'X',
  metadata: { name: 'x', namespace: 'default' },
  ...fields,
});
const faultsOf = (definition: ResourceDefinition, now: object, old?: object): string[] =>
  (definition.validate?.(object(now), old === undefined ? undefined : object(old)) ?? []).map(
    ({ field, message }) => `${field}: ${message}`,
  );

describe('definitions', () => {
  it('name each resource once, with every cell belonging to a column', () => {
    const definitions = allDefinitions();
    expect(new Set(definitions.map(({ group, resource }) => `${resource}.${group}`)).size).toBe(
      definitions.length,
    );
    for (const { cells = {}, columns } of definitions) {
      expect(columns.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(cells)));
    }
  });

  it('of custom kinds come from their CRDs', () => {
    expect(allDefinitions().find(({ resource }) => resource === 'containers')).toMatchObject({
      isCustom: true,
      hasStatus: true,
      shortNames: ['ct'],
      selectableFields: ['status.nodeName', 'status.phase', 'spec.rootPool'],
      name: { maxLength: 60 },
    });
  });
});

describe('cells', () => {
  it.each([
    [configMapResource, 'Data', { data: { a: '1' }, binaryData: { b: '' } }, 2],
    [secretResource, 'Data', {}, 0],
    [eventResource, 'Last Seen', { lastTimestamp: '2026-01-01T11:55:00Z' }, '5m'],
    [
      eventResource,
      'Last Seen',
      { series: { lastObservedTime: '2026-01-01T11:59:50.5Z' }, lastTimestamp: '2026-01-01T11:00:00Z' },
      '9s',
    ],
    [eventResource, 'Last Seen', {}, '<unknown>'],
    [eventResource, 'Object', { involvedObject: { kind: 'Container', name: 'web' } }, 'container/web'],
    [eventResource, 'Source', { source: { component: 'agent', host: 'h1' } }, 'agent, h1'],
    [eventResource, 'Count', { count: 3 }, 3],
  ] as const)('%#: %j', (definition, column, fields, expected) => {
    expect(definition.cells?.[column]?.(object(fields), NOW_MS)).toBe(expected);
  });

  it.each([
    [-5_000, '<invalid>'],
    [0, '0s'],
    [119_000, '119s'],
    [125_000, '2m5s'],
    [600_000, '10m'],
    [3 * 3_600_000, '3h'],
    [3.5 * 3_600_000, '3h30m'],
    [9 * 3_600_000, '9h'],
    [49 * 3_600_000, '2d1h'],
    [400 * 86_400_000, '400d'],
    [1_000 * 86_400_000, '2y270d'],
  ])('%i ms are %s', (ms, expected) => {
    expect(humanDuration(ms)).toBe(expected);
  });
});

describe('rules', () => {
  it.each<[string, ResourceDefinition, object, object | undefined, string]>([
    [
      'a key that is none',
      configMapResource,
      { data: { 'a b': '' } },
      undefined,
      'data[a b]: Invalid value: "a b": a valid config key must',
    ],
    [
      'a key in both',
      configMapResource,
      { data: { a: '' }, binaryData: { a: '' } },
      undefined,
      'data[a]: Invalid value: "a": duplicate of key present in binaryData',
    ],
    [
      'too much data',
      configMapResource,
      { data: { a: 'x'.repeat(1_048_577) } },
      undefined,
      'Too long: may not be more than 1048576 bytes',
    ],
    [
      'a change of what is immutable',
      configMapResource,
      { data: { a: '2' }, immutable: true },
      { data: { a: '1' }, immutable: true },
      'data: Forbidden: field is immutable when `immutable` is set',
    ],
    [
      'an end of immutability',
      configMapResource,
      {},
      { immutable: true },
      'immutable: Forbidden: field is immutable when `immutable` is set',
    ],
    [
      'a TLS secret without its key',
      secretResource,
      { type: 'kubernetes.io/tls', data: { 'tls.crt': '' } },
      undefined,
      'data[tls.key]: Required value',
    ],
    [
      'another type',
      secretResource,
      { type: 'b' },
      { type: 'a' },
      'type: Invalid value: "b": field is immutable',
    ],
    [
      'a lease without duration',
      leaseResource,
      { spec: { leaseDurationSeconds: 0 } },
      undefined,
      'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
    ],
    [
      'an event in a foreign namespace',
      eventResource,
      { involvedObject: { namespace: 'other' } },
      undefined,
      'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ],
  ])('find %s', (_what, definition, now, old, expected) => {
    expect(faultsOf(definition, now, old)).toEqual([expect.stringContaining(expected)]);
  });

  it('let an event live for an hour after it was last seen', () => {
    const event = object({ lastTimestamp: '2026-01-01T11:00:00Z', involvedObject: {} });
    event.metadata.creationTimestamp = '2026-01-01T09:00:00Z';
    expect(eventResource.expiresAtMs?.(event)).toBe(NOW_MS);
  });
});
