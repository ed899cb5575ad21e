import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createAuthority, issueCertificate } from '../../../src/apiserver/pki/certificates.ts';
import { issueClientCertificate, loadClusterAuthority } from '../../../src/apiserver/pki/cluster-pki.ts';
import { pkiFolder } from '../../../src/apiserver/pki/folders.ts';
import { systemClock } from '../../../src/ports/clock.ts';
import { type ApiClient, createApiClient } from '../../support/api-client.ts';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { container } from '../../support/manifests.ts';

/** Connections, identities and bodies, seen from the wire. */
const CONTAINERS = '/apis/hostler.dev/v1alpha1/namespaces/default/containers';
let folder: string;
let server: TestApiServer;
let admin: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hostler-sock-'));
  server = await startApiServer({ listen: [{ path: join(folder, 'api.sock') }] });
  admin = await server.adminClient();
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

describe.each(['1.1', '2'] as const)('HTTP/%s', (http) => {
  it('creates, reads and deletes', async () => {
    const name = `web-${http.replace('.', '')}`;
    const created = await admin.request('POST', CONTAINERS, { body: container(name), http });
    expect(created.code).toBe(201);
    expect(created.headers['audit-id']).toMatch(/^[\w-]{36}$/);
    const read = await admin.request('GET', `${CONTAINERS}/${name}`, { http });
    expect(read.json()).toMatchObject({ kind: 'Container', metadata: { name }, spec: { power: 'Running' } });
    const deleted = await admin.request('DELETE', `${CONTAINERS}/${name}`, { http });
    expect(deleted.json()).toMatchObject({ kind: 'Status', status: 'Success', details: { name } });
    expect((await admin.request('GET', `${CONTAINERS}/${name}`, { http })).code).toBe(404);
  });

  it('refuses a body above 3 MiB, and serves the next request', async () => {
    const body = Buffer.alloc(3 * 1024 * 1024 + 1, ' ');
    const refused = await admin.request('POST', CONTAINERS, { body, http });
    expect(refused.code).toBe(413);
    expect(refused.json()).toMatchObject({
      reason: 'RequestEntityTooLarge',
      message: 'Request entity too large: limit is 3145728',
    });
    expect((await admin.request('GET', CONTAINERS, { http })).code).toBe(200);
  });

  it('answers HEAD without a body', async () => {
    const { code, text } = await admin.request('HEAD', CONTAINERS, { http });
    expect({ code, text }).toEqual({ code: 200, text: '' });
  });
});

it('serves TLS over a unix socket with the same rules', async () => {
  const socketPath = join(folder, 'api.sock');
  const { url, caPem } = server;
  const identity = await server.issue('admin', ['system:masters']);
  const inside = createApiClient({ url, caPem, identity, socketPath });
  expect((await inside.request('GET', CONTAINERS)).code).toBe(200);
  expect((await createApiClient({ url, caPem, socketPath }).request('GET', CONTAINERS)).code).toBe(401);
});

describe('identities', () => {
  it.each(['/', '/api', '/apis', '/version', '/openapi/v3', '/metrics', CONTAINERS, '/nowhere'])(
    'nobody without a certificate gets %s',
    async (path) => {
      const { url, caPem } = server;
      const { code, text } = await createApiClient({ url, caPem }).request('GET', path);
      expect(code).toBe(401);
      expect(JSON.parse(text)).toEqual({
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'Unauthorized',
        reason: 'Unauthorized',
        code: 401,
      });
    },
  );

  it.each(['/livez', '/readyz', '/healthz'])('everybody gets %s', async (path) => {
    const { url, caPem } = server;
    expect(await createApiClient({ url, caPem }).request('GET', path)).toMatchObject({
      code: 200,
      text: 'ok',
    });
  });

  const withCertificate = async (make: 'foreign' | 'expired' | 'server'): Promise<number> => {
    const { url, caPem } = server;
    const own = await loadClusterAuthority(pkiFolder(server.dataDir));
    const longAgo = { ...systemClock, nowMs: () => Date.now() - 800 * 86_400_000 };
    const issue = {
      foreign: async () =>
        issueClientCertificate({
          ca: await createAuthority('hostler-ca', systemClock),
          user: 'admin',
          groups: ['system:masters'],
          clock: systemClock,
        }),
      expired: () =>
        issueClientCertificate({ ca: own, user: 'admin', groups: ['system:masters'], clock: longAgo }),
      server: () =>
        issueCertificate(
          own,
          { commonName: 'admin', organizations: ['system:masters'], usages: ['server'], validDays: 1 },
          systemClock,
        ),
    };
    const client = createApiClient({ url, caPem, identity: await issue[make]() });
    return (await client.request('GET', CONTAINERS)).code;
  };

  it.each(['foreign', 'expired', 'server'] as const)('a certificate that is %s is nobody', async (make) => {
    expect(await withCertificate(make)).toBe(401);
  });

  it('somebody without permissions may look at what there is, and no further', async () => {
    const bob = await server.client('bob', ['developers']);
    expect((await bob.request('GET', '/apis')).code).toBe(200);
    expect((await bob.request('GET', `${CONTAINERS}/web`)).json()).toMatchObject({
      code: 403,
      reason: 'Forbidden',
      message:
        'containers.hostler.dev "web" is forbidden: User "bob" cannot get resource "containers" in API group "hostler.dev" in the namespace "default"',
    });
    expect((await bob.request('GET', '/metrics')).json()).toMatchObject({
      code: 403,
      message: 'forbidden: User "bob" cannot get path "/metrics"',
    });
  });

  it('a repeated O is one group each', async () => {
    const carol = await server.client('carol', ['one', 'two']);
    const review = await carol.request('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    });
    expect(review.json()).toMatchObject({
      status: { userInfo: { username: 'carol', groups: ['one', 'two', 'system:authenticated'] } },
    });
  });
});

describe('forms', () => {
  it('YAML in and out, with a warning for a repeated key', async () => {
    const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata:\n  a: "1"\n  a: "2"\n';
    const created = await admin.request('POST', '/api/v1/namespaces/default/configmaps', {
      body,
      headers: { 'content-type': 'application/yaml', accept: 'application/yaml' },
    });
    expect(created.code).toBe(201);
    expect(created.headers['content-type']).toBe('application/yaml');
    expect(created.text).toMatch(/^apiVersion: v1$/m);
    expect(created.headers['warning']).toBe('299 - "duplicate field \\"data.a\\""');
  });

  it('only what is accepted', async () => {
    const refused = await admin.request('GET', CONTAINERS, {
      headers: { accept: 'application/vnd.kubernetes.protobuf' },
    });
    expect(refused.json()).toMatchObject({
      code: 406,
      message: 'only the following media types are accepted: application/json, application/yaml',
    });
  });

  it('large answers are compressed where that is accepted', async () => {
    const { body: data } = { body: { data: { big: 'x'.repeat(400_000) } } };
    const path = '/api/v1/namespaces/default/configmaps';
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'big' }, ...data };
    await admin.request('POST', path, { body: object });
    const plain = await admin.request('GET', `${path}/big`);
    expect(plain.headers['content-encoding']).toBeUndefined();
    for (const url of [`${path}/big`, path]) {
      const compressed = await admin.request('GET', url, { headers: { 'accept-encoding': 'gzip' } });
      expect(compressed.headers['content-encoding']).toBe('gzip');
      expect(gunzipSync(compressed.bytes).toString()).toContain('x'.repeat(400_000));
    }
  });

  it.each([
    ['PUT', CONTAINERS, 405],
    ['POST', `${CONTAINERS}/web`, 405],
    ['POST', '/apis/hostler.dev/v1alpha1/containers', 405],
    ['GET', '/apis/hostler.dev/v1alpha1/nothings', 404],
    ['GET', '/apis/hostler.dev/v2/containers', 404],
    ['GET', `${CONTAINERS}/web/scale`, 404],
    ['GET', '/apis/hostler.dev/v1alpha1/namespaces/x/nodes', 404],
    ['POST', '/api/v1/services', 405],
    ['GET', '/api/v1/namespaces/%zz', 400],
  ])('%s %s is %d', async (method, path, code) => {
    const body = method === 'GET' ? {} : { body: container('web') };
    const answer = await admin.request(method, path, body);
    expect(answer.json()).toMatchObject({ kind: 'Status', code });
    expect(answer.code).toBe(code);
  });

  it.each([
    ['limit=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
    ['watch=true&timeoutSeconds=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
    ['labelSelector=%3D%3D', 400, 'unable to parse requirement'],
    [
      'resourceVersionMatch=Exact',
      422,
      'resourceVersionMatch is forbidden unless resourceVersion is provided',
    ],
    ['resourceVersion=abc', 400, 'abc'],
    ['pretty=maybe', 400, 'strconv.ParseBool: parsing "maybe": invalid syntax'],
  ])('a query of %s is %d', async (query, code, message) => {
    const answer = await admin.request('GET', `${CONTAINERS}?${query}`);
    expect(answer.json()).toMatchObject({ code });
    expect(answer.text).toContain(JSON.stringify(message).slice(1, -1));
  });
});
