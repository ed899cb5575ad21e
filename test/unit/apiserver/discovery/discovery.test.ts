import { describe, expect, it } from '@jest/globals';
import { allDefinitions } from '../../../../src/apiserver/builtin/definitions.ts';
import { catalogOf } from '../../../../src/apiserver/discovery/catalog.ts';
import { aggregatedDocument, discoveryDocuments } from '../../../../src/apiserver/discovery/discovery.ts';
import { createDiscovery } from '../../../../src/apiserver/discovery/serve.ts';
import type { Registry } from '../../../../src/apiserver/registry/registry.ts';
import { fakeExchange } from '../../../support/fake-exchange.ts';

const registries = allDefinitions().map((definition) => ({ definition }) as Registry);
const catalog = catalogOf(registries);

interface ResourceList {
  resources: { name: string; verbs: string[]; shortNames?: string[]; kind: string }[];
}

describe('discovery documents', () => {
  const documents = discoveryDocuments(catalog);

  it('there is one for each group and version', () => {
    expect([...documents.keys()].sort()).toEqual([
      '/api',
      '/api/v1',
      '/apis',
      '/apis/authentication.k8s.io',
      '/apis/authentication.k8s.io/v1',
      '/apis/authorization.k8s.io',
      '/apis/authorization.k8s.io/v1',
      '/apis/certificates.k8s.io',
      '/apis/certificates.k8s.io/v1',
      '/apis/coordination.k8s.io',
      '/apis/coordination.k8s.io/v1',
      '/apis/hostler.dev',
      '/apis/hostler.dev/v1alpha1',
    ]);
  });

  it('lists status sub-resources with their verbs', () => {
    const { resources } = documents.get('/apis/hostler.dev/v1alpha1') as ResourceList;
    expect(resources.find(({ name }) => name === 'containers/status')?.verbs).toEqual([
      'get',
      'patch',
      'update',
    ]);
  });

  it('leaves out verbs that are not served', () => {
    const [first] = registries as [Registry];
    const limited = {
      definition: { ...first.definition, unsupportedVerbs: ['delete'] },
    } as unknown as Registry;
    expect(catalogOf([limited])[0]?.verbs).not.toContain('delete');
  });

  it('the aggregated form says the same as the classic one', () => {
    const { items } = aggregatedDocument(catalog, '/apis', 'v2') as {
      items: {
        metadata: { name: string };
        versions: { version: string; resources: { resource: string }[] }[];
      }[];
    };
    for (const { metadata, versions } of items) {
      for (const { version, resources } of versions) {
        const classic = documents.get(`/apis/${metadata.name}/${version}`) as ResourceList;
        const names = classic.resources.map(({ name }) => name).filter((name) => !name.includes('/'));
        expect(resources.map(({ resource }) => resource)).toEqual(names);
      }
    }
  });
});

describe('createDiscovery', () => {
  const discovery = createDiscovery(() => registries, '0.0.1');
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const exchange = fakeExchange({ target: path, headers });
    await discovery.serve(exchange, path, {});
    return exchange.answer;
  };

  it.each([
    ['/api', 'application/json'],
    ['/openapi/v3', 'application/json'],
    ['/openapi/v3/apis/hostler.dev/v1alpha1', 'application/json'],
    ['/version', 'application/json'],
  ])('%s is answered with an ETag, and 304 to who has it', async (path, mediaType) => {
    const first = await get(path);
    expect(first).toMatchObject({ status: 200, headers: { 'content-type': mediaType } });
    const etag = first?.headers['etag'] as string;
    expect(await get(path, { 'if-none-match': etag })).toMatchObject({ status: 304, text: '' });
  });

  it('the aggregated form has its own media type', async () => {
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    expect((await get('/apis', { accept }))?.headers['content-type']).toBe(accept);
  });

  it.each(['/apis/nothing.here', '/openapi/v4', '/api/v2'])('%s is 404', async (path) => {
    await expect(get(path)).rejects.toThrow('the server could not find the requested resource');
  });

  it('/openapi/v2 is JSON or protobuf, as asked', async () => {
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    expect((await get('/openapi/v2'))?.text).toContain('"swagger":"2.0"');
    expect((await get('/openapi/v2', { accept }))?.headers['content-type']).toContain('+protobuf');
    await expect(get('/openapi/v2', { accept: 'text/html' })).rejects.toThrow(
      'only the following media types',
    );
  });
});
