import { describe, expect, it } from '@jest/globals';
import { negotiate } from '../../../../src/apiserver/endpoints/accept.ts';
import { aggregatedVersion } from '../../../../src/apiserver/discovery/documents.ts';

const json = { encoding: 'json', version: 'v1' };

describe('negotiate', () => {
  it.each<[string | undefined, object]>([
    [undefined, json],
    ['*/*', json],
    ['application/json', json],
    ['application/vnd.kubernetes.protobuf,application/json', json],
    ['application/cbor, application/json;q=0.5', json],
    ['application/yaml', { ...json, encoding: 'yaml' }],
    ['application/json;q=0.1,application/yaml', { ...json, encoding: 'yaml' }],
    ['application/json;as=Table;v=v1;g=meta.k8s.io', { ...json, as: 'Table' }],
    [
      'application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
      { ...json, as: 'Table', version: 'v1beta1' },
    ],
    ['application/json;as=Table;v=v9;g=meta.k8s.io,application/json', json],
    [
      'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
      { ...json, as: 'PartialObjectMetadata' },
    ],
    [
      'application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1;g=meta.k8s.io',
      { ...json, as: 'Table' },
    ],
  ])('%s', (accept, expected) => {
    expect(negotiate(accept)).toEqual(expected);
  });

  it.each([
    'application/vnd.kubernetes.protobuf',
    'text/html',
    'application/json;as=Chart;v=v1;g=meta.k8s.io',
    'application/json;q=0',
  ])('%s alone is not acceptable', (accept) => {
    expect(() => negotiate(accept)).toThrow(
      'only the following media types are accepted: application/json, application/yaml',
    );
  });
});

describe('aggregatedVersion', () => {
  it.each([
    [undefined, undefined],
    ['application/json', undefined],
    [
      'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json',
      'v2',
    ],
    ['application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json', undefined],
    ['application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList', 'v2beta1'],
  ])('%s', (accept, expected) => {
    expect(aggregatedVersion(accept)).toBe(expected);
  });
});
