import { describe, expect, it } from '@jest/globals';
import { parseRequest, type ResourceRequest } from '../../../../src/apiserver/endpoints/request-info.ts';

const parsed = (method: string, target: string) => {
  const { query: _query, path: _path, ...rest } = parseRequest(method, target) as ResourceRequest;
  return rest;
};

const core = { isResource: true, group: '', version: 'v1' };
const hostler = { isResource: true, group: 'hostler.dev', version: 'v1alpha1', resource: 'containers' };

describe('parseRequest', () => {
  it.each<[string, string, object]>([
    ['GET', '/api/v1/namespaces', { ...core, verb: 'list', resource: 'namespaces' }],
    [
      'GET',
      '/api/v1/namespaces/web',
      { ...core, verb: 'get', resource: 'namespaces', namespace: 'web', name: 'web' },
    ],
    [
      'PUT',
      '/api/v1/namespaces/web/status',
      {
        ...core,
        verb: 'update',
        resource: 'namespaces',
        namespace: 'web',
        name: 'web',
        subresource: 'status',
      },
    ],
    [
      'POST',
      '/api/v1/namespaces/web/configmaps',
      { ...core, verb: 'create', resource: 'configmaps', namespace: 'web' },
    ],
    ['GET', '/apis/hostler.dev/v1alpha1/containers', { ...hostler, verb: 'list' }],
    ['GET', '/apis/hostler.dev/v1alpha1/containers?watch=1', { ...hostler, verb: 'watch' }],
    ['GET', '/apis/hostler.dev/v1alpha1/containers?watch=0', { ...hostler, verb: 'list' }],
    [
      'GET',
      '/apis/hostler.dev/v1alpha1/watch/namespaces/a/containers/b',
      { ...hostler, verb: 'watch', namespace: 'a', name: 'b' },
    ],
    [
      'PATCH',
      '/apis/hostler.dev/v1alpha1/namespaces/a/containers/b/status',
      { ...hostler, verb: 'patch', namespace: 'a', name: 'b', subresource: 'status' },
    ],
    [
      'DELETE',
      '/apis/hostler.dev/v1alpha1/namespaces/a/containers',
      { ...hostler, verb: 'deletecollection', namespace: 'a' },
    ],
    [
      'DELETE',
      '/apis/hostler.dev/v1alpha1/namespaces/a/containers/b%3Ac/',
      { ...hostler, verb: 'delete', namespace: 'a', name: 'b:c' },
    ],
    [
      'GET',
      '/apis/hostler.dev/v1alpha1/namespaces/a/containers?fieldSelector=metadata.name%3Db,spec.x=y',
      { ...hostler, verb: 'list', namespace: 'a', name: 'b' },
    ],
    [
      'GET',
      '/apis/hostler.dev/v1alpha1/containers?fieldSelector=metadata.name!%3Db',
      { ...hostler, verb: 'list' },
    ],
    ['GET', '/apis/hostler.dev/v1alpha1', { isResource: false, verb: 'get' }],
    ['GET', '/', { isResource: false, verb: 'get' }],
    ['OPTIONS', '/api/v1/namespaces', { isResource: false, verb: 'options' }],
    ['GET', '/api/v1/namespaces/a/pods/b/c/d', { isResource: false, verb: 'get' }],
  ])('%s %s', (method, target, expected) => {
    expect(parsed(method, target)).toEqual(expected);
  });

  it('refuses a broken escape', () => {
    expect(() => parseRequest('GET', '/api/v1/namespaces/%zz')).toThrow('invalid URL escape');
  });
});
