import { describe, expect, it } from '@jest/globals';
import type { Attributes, ResourceAttributes } from '../../../../src/apiserver/auth/attributes.ts';
import { denial } from '../../../../src/apiserver/auth/attributes.ts';
import { type Change, defaultAuthorizer, type Decision } from '../../../../src/apiserver/auth/authorizer.ts';
import type { KubeObject } from '../../../../src/crds/object.ts';

const node = { name: 'system:hostler:node:host-1', groups: ['hostler:nodes', 'system:authenticated'] };
const bob = { name: 'bob', groups: ['system:authenticated'] };
const admin = { name: 'root', groups: ['system:masters'] };

const on = (
  verb: string,
  resource: string,
  group: string,
  more: Partial<ResourceAttributes> = {},
): ResourceAttributes => ({ isResource: true, user: node, verb, group, version: 'v1', resource, ...more });

const decide = async (attributes: Attributes): Promise<Decision> => defaultAuthorizer().authorize(attributes);

const CSR = 'certificatesigningrequests';

describe('what a node may do', () => {
  it.each<[boolean, ResourceAttributes]>([
    [true, on('watch', 'storagepools', 'hostler.dev')],
    [true, on('watch', 'clusterpolicies', 'hostler.dev')],
    [true, on('get', 'nodes', 'hostler.dev', { name: 'host-2' })],
    [true, on('patch', 'nodes', 'hostler.dev', { name: 'host-1' })],
    [false, on('update', 'nodes', 'hostler.dev', { name: 'host-1' })],
    [true, on('patch', 'nodes', 'hostler.dev', { name: 'host-1', subresource: 'status' })],
    [true, on('update', 'leases', 'coordination.k8s.io', { namespace: 'hostler-nodes', name: 'host-1' })],
    [true, on('get', 'leases', 'coordination.k8s.io', { namespace: 'hostler-nodes', name: 'host-1' })],
    [true, on('create', 'events', '', { namespace: 'default' })],
    [true, on('patch', 'events', '', { namespace: 'default', name: 'x' })],
    [true, on('get', 'namespaces', '', { name: 'hostler-nodes' })],
    [false, on('get', 'namespaces', '', { name: 'default' })],
    [false, on('list', 'namespaces', '')],
    [false, on('update', 'namespaces', '', { name: 'hostler-nodes' })],
    [false, on('update', 'nodes', 'hostler.dev', { name: 'host-2' })],
    [false, on('delete', 'nodes', 'hostler.dev', { name: 'host-1' })],
    [false, on('update', 'leases', 'coordination.k8s.io', { namespace: 'hostler-nodes', name: 'host-2' })],
    [true, on('watch', 'configmaps', '', { namespace: 'hostler-nodes', name: 'hostler-members' })],
    [false, on('update', 'configmaps', '', { namespace: 'hostler-nodes', name: 'hostler-members' })],
    [false, on('get', 'configmaps', '', { namespace: 'hostler-nodes', name: 'other' })],
    [false, on('get', 'configmaps', '', { namespace: 'default', name: 'hostler-members' })],
    [false, on('list', 'leases', 'coordination.k8s.io', { namespace: 'hostler-nodes' })],
    [false, on('update', 'leases', 'coordination.k8s.io', { namespace: 'default', name: 'host-1' })],
    [false, on('list', 'secrets', '')],
    [false, on('get', 'configmaps', '', { namespace: 'default', name: 'x' })],
    [false, on('create', 'containers', 'hostler.dev')],
    [false, on('delete', 'containers', 'hostler.dev', { name: 'web' })],
    [false, on('create', 'storagepools', 'hostler.dev')],
    [false, on('update', 'clusterpolicies', 'hostler.dev', { name: 'cluster' })],
    [true, on('get', 'events', '', { namespace: 'default', name: 'x' })],
    [false, on('list', 'events', '')],
    [false, on('list', 'nodes', '')],
    [true, on('create', CSR, 'certificates.k8s.io')],
    [true, on('get', CSR, 'certificates.k8s.io', { name: 'host-1.abc' })],
    [false, on('get', CSR, 'certificates.k8s.io', { name: 'host-1-a.abc' })],
    [false, on('list', CSR, 'certificates.k8s.io')],
    [false, on('delete', CSR, 'certificates.k8s.io', { name: 'host-1.abc' })],
    [false, on('update', CSR, 'certificates.k8s.io', { name: 'host-1.abc', subresource: 'approval' })],
    [false, on('patch', CSR, 'certificates.k8s.io', { name: 'host-1.abc', subresource: 'status' })],
    [true, on('watch', 'migrations', 'hostler.dev')],
    [true, on('patch', 'migrations', 'hostler.dev', { name: 'm', subresource: 'status' })],
    [false, on('patch', 'migrations', 'hostler.dev', { name: 'm' })],
    [false, on('update', 'migrations', 'hostler.dev', { name: 'm', subresource: 'status' })],
    [false, on('create', 'migrations', 'hostler.dev')],
    [false, on('delete', 'migrations', 'hostler.dev', { name: 'm' })],
    [true, on('get', 'secrets', '', { namespace: 'default', name: 'transfer.host-1.uid-m' })],
    [false, on('get', 'secrets', '', { namespace: 'default', name: 'transfer.host-2.uid-m' })],
    [false, on('get', 'secrets', '', { namespace: 'default', name: 'transfer.host-10.uid-m' })],
    [false, on('get', 'secrets', '', { namespace: 'default', name: 'passwords' })],
    [false, on('watch', 'secrets', '', { namespace: 'default', name: 'transfer.host-1.uid-m' })],
    [false, on('delete', 'secrets', '', { namespace: 'default', name: 'transfer.host-1.uid-m' })],
    [true, on('create', 'secrets', '', { namespace: 'default' })],
  ])('%s: %j', async (allowed, attributes) => {
    expect((await decide(attributes)).allowed).toBe(allowed);
  });

  it('the group alone, without a node name, is nothing', async () => {
    const user = { name: 'host-1', groups: ['hostler:nodes'] };
    expect((await decide({ ...on('list', 'containers', 'hostler.dev'), user })).allowed).toBe(false);
  });
});

const web = (status: object = { nodeName: 'host-1', epoch: 3, phase: 'Running' }): KubeObject =>
  ({
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { name: 'web', namespace: 'default', finalizers: ['hostler.dev/host'], resourceVersion: '5' },
    spec: { image: 'images:debian/12' },
    status,
  }) as KubeObject;

const merge = (body: unknown): Change => ({ type: 'patch', patchType: 'merge', body });
const update = (object: object): Change => ({ type: 'update', object: object as KubeObject });

async function refusal(
  subresource: string | undefined,
  existing: KubeObject,
  change: Change,
): Promise<string | undefined> {
  const verb = change.type === 'patch' ? 'patch' : 'update';
  const decision = await decide(
    on(verb, 'containers', 'hostler.dev', {
      name: 'web',
      namespace: 'default',
      ...(subresource === undefined ? {} : { subresource }),
    }),
  );
  if (!decision.allowed || decision.restriction === undefined) throw new Error('expected a restriction');
  return decision.restriction.refuse(existing, change);
}

describe("a container's status", () => {
  it.each<[string, KubeObject, Change, string | undefined]>([
    ['its own', web(), merge({ status: { phase: 'Stopped' } }), undefined],
    ['its own, placement repeated', web(), merge({ status: { nodeName: 'host-1', epoch: 3 } }), undefined],
    ['its own by update', web(), update(web({ nodeName: 'host-1', epoch: 3, phase: 'Stopped' })), undefined],
    ["another node's", web({ nodeName: 'host-2' }), merge({ status: { phase: 'Stopped' } }), 'placed on it'],
    ['of one without a node', web({}), merge({ status: { nodeName: 'host-1' } }), 'placed on it'],
    ['given away', web(), merge({ status: { nodeName: 'host-2' } }), 'cannot change status.nodeName'],
    ['a higher epoch', web(), merge({ status: { epoch: 4 } }), 'cannot change status.epoch'],
    ['taken away', web(), merge({ status: null }), 'cannot change status.nodeName'],
    ['nodeName removed', web(), merge({ status: { nodeName: null } }), 'cannot change status.nodeName'],
    ['a term out of nothing', web(), merge({ status: { term: 1 } }), 'cannot change status.term'],
    ['another home', web(), merge({ status: { drainedFrom: 'host-1' } }), 'cannot change status.drainedFrom'],
    ['a stop for maintenance', web(), merge({ status: { stoppedFor: 'Maintenance' } }), 'status.stoppedFor'],
    ['given away by update', web(), update(web({ nodeName: 'host-2', epoch: 3 })), 'status.nodeName'],
    ['where it was lost', web(), merge({ status: { lostFrom: 'host-2' } }), 'cannot change status.lostFrom'],
    [
      'that it was placed',
      web(),
      merge({ status: { conditions: [{ type: 'Scheduled', status: 'True' }] } }),
      'cannot change the condition Scheduled',
    ],
    ['by a JSON patch', web(), { type: 'patch', patchType: 'json', body: [] }, 'only with a merge patch'],
  ])('%s', async (_name, existing, change, expected) => {
    const reason = await refusal('status', existing, change);
    expect(reason ?? '').toContain(expected ?? '');
    expect(reason === undefined).toBe(expected === undefined);
  });
});

describe("a container's finalizers", () => {
  const only = 'only remove the finalizer';
  const others = ['hostler.dev/host', 'example.com/other'];
  const held = { ...web(), metadata: { ...web().metadata, finalizers: others } } as KubeObject;
  it.each<[string, KubeObject, Change, string | undefined]>([
    ['removed', web(), merge({ metadata: { finalizers: [] } }), undefined],
    [
      'removed, with the version',
      web(),
      merge({ metadata: { resourceVersion: '5', finalizers: [] } }),
      undefined,
    ],
    [
      'removed by update',
      web(),
      update({ ...web(), metadata: { ...web().metadata, finalizers: [] } }),
      undefined,
    ],
    ['its own among others', held, merge({ metadata: { finalizers: ['example.com/other'] } }), undefined],
    ["others' too", held, merge({ metadata: { finalizers: [] } }), only],
    ['a new one', web(), merge({ metadata: { finalizers: others } }), only],
    ["another node's", web({ nodeName: 'host-2' }), merge({ metadata: { finalizers: [] } }), 'placed on it'],
    ['with labels', web(), merge({ metadata: { finalizers: [], labels: { a: 'b' } } }), only],
    ['with owners', web(), merge({ metadata: { finalizers: [], ownerReferences: [] } }), only],
    ['with a spec', web(), merge({ metadata: { finalizers: [] }, spec: { power: 'Stopped' } }), only],
    ['with a spec by update', web(), update({ ...web(), spec: { image: 'images:other' } }), only],
    ['by a JSON patch', web(), { type: 'patch', patchType: 'json', body: [] }, only],
  ])('%s', async (_name, existing, change, expected) => {
    const reason = await refusal(undefined, existing, change);
    expect(reason ?? '').toContain(expected ?? '');
    expect(reason === undefined).toBe(expected === undefined);
  });
});

it('a node creates no Node and no Lease but its own', async () => {
  for (const [resource, group, namespace] of [
    ['nodes', 'hostler.dev', undefined],
    ['leases', 'coordination.k8s.io', 'hostler-nodes'],
  ] as const) {
    const decision = await decide(
      on('create', resource, group, namespace === undefined ? {} : { namespace }),
    );
    if (!decision.allowed) throw new Error('expected a restriction');
    const create = (name: string): Change => ({
      type: 'create',
      object: { metadata: { name } } as KubeObject,
    });
    expect(decision.restriction?.refuse(undefined, create('host-1'))).toBeUndefined();
    expect(decision.restriction?.refuse(undefined, create('host-2'))).toContain('its own');
  }
});

describe('everybody else', () => {
  const path = (user: Attributes['user'], verb: string, to: string): Attributes => ({
    isResource: false,
    user,
    verb,
    path: to,
  });

  it.each<[boolean, Attributes]>([
    [true, { ...on('delete', 'secrets', ''), user: admin }],
    [true, path(admin, 'get', '/metrics')],
    [true, path(bob, 'get', '/apis/hostler.dev')],
    [true, path(bob, 'get', '/openapi/v2')],
    [false, path(bob, 'get', '/metrics')],
    [false, path(bob, 'get', '/apiserver')],
    [false, path(bob, 'post', '/version')],
    [false, { ...on('get', 'containers', 'hostler.dev'), user: bob }],
    [true, { ...on('create', 'selfsubjectreviews', 'authentication.k8s.io'), user: bob }],
  ])('%s: %j', async (allowed, attributes) => {
    expect((await decide(attributes)).allowed).toBe(allowed);
  });

  it.each<[Attributes, string]>([
    [
      { ...on('get', 'containers', 'hostler.dev', { namespace: 'a' }), user: bob },
      'User "bob" cannot get resource "containers" in API group "hostler.dev" in the namespace "a"',
    ],
    [
      { ...on('patch', 'nodes', 'hostler.dev', { subresource: 'status' }), user: bob },
      'User "bob" cannot patch resource "nodes/status" in API group "hostler.dev" at the cluster scope',
    ],
    [path(bob, 'get', '/metrics'), 'User "bob" cannot get path "/metrics"'],
  ])('is told in the words of Kubernetes: %#', (attributes, expected) => {
    expect(denial(attributes, '')).toBe(expected);
  });
});
