import { describe, expect, it } from '@jest/globals';
import type { ResourceAttributes } from '../../../../src/apiserver/auth/attributes.ts';
import { type Change, defaultAuthorizer } from '../../../../src/apiserver/auth/authorizer.ts';
import type { KubeObject } from '../../../../src/crds/object.ts';

const user = { name: 'system:hostler:node:host-1', groups: ['hostler:nodes', 'system:authenticated'] };
const HOSTLER = 'hostler.dev';
const LEASES = 'coordination.k8s.io';
const NODES = 'hostler-nodes';
const OWN = `status.nodeName=host-1`;

const decide = async (attributes: Partial<ResourceAttributes>) =>
  await defaultAuthorizer().authorize({
    isResource: true,
    user,
    version: 'v1',
    group: '',
    resource: '',
    verb: '',
    ...attributes,
  });

/** Every verb that a client can send. */
const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];

/** Each row is one thing; what is not in `may` is refused for it. The letters after `?` are only for some objects. */
const rows: [string, Partial<ResourceAttributes>, string][] = [
  ['its own Node', { group: HOSTLER, resource: 'nodes', name: 'host-1' }, 'get list watch create? patch?'],
  [
    'its own Node/status',
    { group: HOSTLER, resource: 'nodes', subresource: 'status', name: 'host-1' },
    'get list watch update? patch?',
  ],
  ["another's Node", { group: HOSTLER, resource: 'nodes', name: 'host-2' }, 'get create?'],
  [
    "another's Node/status",
    { group: HOSTLER, resource: 'nodes', subresource: 'status', name: 'host-2' },
    'get',
  ],
  ['all Nodes', { group: HOSTLER, resource: 'nodes' }, 'get create?'],
  ['storage pools', { group: HOSTLER, resource: 'storagepools' }, 'get list watch'],
  ["a pool's status", { group: HOSTLER, resource: 'storagepools', subresource: 'status' }, ''],
  ['cluster policies', { group: HOSTLER, resource: 'clusterpolicies' }, 'get list watch'],
  [
    'a container',
    { group: HOSTLER, resource: 'containers', namespace: 'default', name: 'web' },
    'get list watch update? patch?',
  ],
  [
    'a container/status',
    { group: HOSTLER, resource: 'containers', subresource: 'status', namespace: 'default', name: 'web' },
    'get list watch update? patch?',
  ],
  [
    'its own containers',
    { group: HOSTLER, resource: 'containers', fieldSelector: OWN },
    'get list watch update? patch?',
  ],
  [
    'its own of them',
    { group: HOSTLER, resource: 'containers', fieldSelector: `metadata.namespace=a,${OWN}` },
    'get list watch update? patch?',
  ],
  ['all containers', { group: HOSTLER, resource: 'containers' }, 'get update? patch?'],
  [
    "another's containers",
    { group: HOSTLER, resource: 'containers', fieldSelector: 'status.nodeName=host-2' },
    'get update? patch?',
  ],
  [
    "others' containers",
    { group: HOSTLER, resource: 'containers', fieldSelector: 'status.nodeName!=host-1' },
    'get update? patch?',
  ],
  [
    'all containers, by a trick',
    { group: HOSTLER, resource: 'containers', fieldSelector: `metadata.name!=a\\,${OWN}` },
    'get update? patch?',
  ],
  [
    'its own lease',
    { group: LEASES, resource: 'leases', namespace: NODES, name: 'host-1' },
    'get list watch create? update?',
  ],
  ["another's lease", { group: LEASES, resource: 'leases', namespace: NODES, name: 'host-2' }, 'create?'],
  ['all leases', { group: LEASES, resource: 'leases', namespace: NODES }, 'create?'],
  ['a lease elsewhere', { group: LEASES, resource: 'leases', namespace: 'default', name: 'host-1' }, ''],
  [
    'the list of members',
    { resource: 'configmaps', namespace: NODES, name: 'hostler-members' },
    'get list watch',
  ],
  ['another ConfigMap', { resource: 'configmaps', namespace: NODES, name: 'other' }, ''],
  ['all ConfigMaps', { resource: 'configmaps', namespace: NODES }, ''],
  ['a ConfigMap elsewhere', { resource: 'configmaps', namespace: 'default', name: 'hostler-members' }, ''],
  [
    'the request for its own certificate',
    { group: 'certificates.k8s.io', resource: 'certificatesigningrequests', name: 'host-1.abc' },
    'get create?',
  ],
  [
    'the approval of it',
    {
      group: 'certificates.k8s.io',
      resource: 'certificatesigningrequests',
      subresource: 'approval',
      name: 'host-1.abc',
    },
    '',
  ],
  ['a Secret beside the leases', { resource: 'secrets', namespace: NODES, name: 'bmc' }, 'create? patch?'],
  [
    'the keys of a transfer to it',
    { resource: 'secrets', namespace: 'default', name: 'transfer.host-1.uid-m' },
    'get create? patch?',
  ],
  [
    'the keys of a transfer to another',
    { resource: 'secrets', namespace: 'default', name: 'transfer.host-2.uid-m' },
    'create? patch?',
  ],
  ['all Secrets', { resource: 'secrets' }, 'create? patch?'],
  ['the Namespace of the leases', { resource: 'namespaces', name: NODES }, 'get'],
  ['its finalizers', { resource: 'namespaces', name: NODES, subresource: 'finalize' }, ''],
  ['another Namespace', { resource: 'namespaces', name: 'default' }, ''],
  ['all Namespaces', { resource: 'namespaces' }, ''],
  ['Events', { resource: 'events', namespace: 'default' }, 'get create? patch?'],
];

describe('what a node may do, for each verb', () => {
  const cells = rows.flatMap(([what, attributes, may]) =>
    VERBS.map((verb) => ({ what, verb, attributes, expected: expectation(may.split(' '), verb) })),
  );
  it.each(cells)('$verb $what: $expected', async ({ verb, attributes, expected }) => {
    const decision = await decide({ ...attributes, verb });
    const found = !decision.allowed ? 'no' : decision.restriction === undefined ? 'yes' : 'some';
    expect(found).toBe(expected);
  });
});

function expectation(may: readonly string[], verb: string): 'yes' | 'some' | 'no' {
  if (may.includes(verb)) return 'yes';
  return may.includes(`${verb}?`) ? 'some' : 'no';
}

const condition = (type: string, status: string) => ({ type, status });
const object = (parts: object): KubeObject =>
  ({ apiVersion: 'v1', kind: 'X', ...parts }) as unknown as KubeObject;
const create = (parts: object): Change => ({ type: 'create', object: object(parts) });
const update = (parts: object): Change => ({ type: 'update', object: object(parts) });
const merge = (body: unknown): Change => ({ type: 'patch', patchType: 'merge', body });

type Row = [string, KubeObject | undefined, Change, string | undefined];

function refusals(attributes: Partial<ResourceAttributes>, cases: readonly Row[]): void {
  it.each(cases)('%s', async (_, existing, change, expected) => {
    const decision = await decide({ ...attributes, verb: change.type });
    if (!decision.allowed) throw new Error(`refused altogether: ${decision.reason}`);
    const reason = decision.restriction?.refuse(existing, change);
    expect(reason ?? '').toContain(expected ?? '');
    expect(reason === undefined).toBe(expected === undefined);
  });
}

describe('a new Node', () => {
  const metadata = { name: 'host-1', labels: { zone: 'a' } };
  const fenced = { ...metadata, annotations: { 'hostler.dev/fenced-by': 'me' } };
  refusals({ group: HOSTLER, resource: 'nodes' }, [
    ['its own', undefined, create({ metadata, spec: {} }), undefined],
    ["another's", undefined, create({ metadata: { name: 'host-2' }, spec: {} }), 'its own'],
    ['with taints', undefined, create({ metadata, spec: { taints: [] } }), 'cannot set the spec'],
    [
      'with a device',
      undefined,
      create({ metadata, spec: { fencing: { exec: { command: ['sh'] } } } }),
      'the spec',
    ],
    ['with a word of an operator', undefined, create({ metadata: fenced }), 'fenced-by'],
    ['with owners', undefined, create({ metadata: { ...metadata, ownerReferences: [{}] } }), 'owners'],
  ]);
});

describe('its Node', () => {
  const only = 'only patch the labels';
  const own = { 'hostler.dev/host': 'host-1', 'kubernetes.io/hostname': 'host-1' };
  const node = object({ metadata: { name: 'host-1' }, spec: {} });
  refusals({ group: HOSTLER, resource: 'nodes', name: 'host-1' }, [
    ['the labels with its name', node, merge({ metadata: { labels: own } }), undefined],
    [
      "labels with another's name",
      node,
      merge({ metadata: { labels: { 'hostler.dev/host': 'host-2' } } }),
      only,
    ],
    ['other labels', node, merge({ metadata: { labels: { disk: 'ssd' } } }), only],
    [
      'an annotation',
      node,
      merge({ metadata: { labels: own, annotations: { 'hostler.dev/fenced-by': 'me' } } }),
      only,
    ],
    [
      'the end of the word that it is off',
      node,
      merge({ metadata: { resourceVersion: '7', annotations: { 'hostler.dev/fenced-by': null } } }),
      undefined,
    ],
    [
      'the end of another annotation',
      node,
      merge({ metadata: { annotations: { 'a.example/b': null } } }),
      only,
    ],
    ['its taints', node, merge({ metadata: { labels: own }, spec: { taints: [] } }), only],
    ['whether it is cordoned', node, merge({ spec: { unschedulable: false } }), only],
    ['by a JSON patch', node, { type: 'patch', patchType: 'json', body: [] }, only],
  ]);
});

describe("its Node's status", () => {
  const said = [condition('LeaseValid', 'False'), condition('Fenced', 'True'), condition('Ready', 'Unknown')];
  const taints = [{ key: 'hostler.dev/unreachable' }];
  const node = object({ metadata: { name: 'host-1' }, status: { conditions: said, taints } });
  const status = (more: object): Change =>
    update({ metadata: { name: 'host-1' }, status: { conditions: said, taints, ...more } });
  refusals({ group: HOSTLER, resource: 'nodes', subresource: 'status', name: 'host-1' }, [
    ['what it has', node, status({ capacity: { cpu: '4' } }), undefined],
    [
      'that it is ready',
      node,
      status({ conditions: [...said.slice(0, 2), condition('Ready', 'True')] }),
      undefined,
    ],
    ['no taint', node, status({ taints: [] }), 'status.taints'],
    [
      'that it was not fenced',
      node,
      status({ conditions: [said[0], condition('Fenced', 'False')] }),
      'condition Fenced',
    ],
    [
      'a valid lease',
      node,
      status({ conditions: [condition('LeaseValid', 'True'), said[1]] }),
      'condition LeaseValid',
    ],
    ['nothing of what was said', node, status({ conditions: [] }), 'condition LeaseValid'],
    ['no taint by a patch', node, merge({ status: { taints: null } }), 'status.taints'],
  ]);
});

describe('its lease', () => {
  const spec = { holderIdentity: 'host-1', leaseTransitions: 3, renewTime: 'a' };
  const metadata = {
    name: 'host-1',
    namespace: NODES,
    resourceVersion: '5',
    annotations: { 'hostler.dev/losses': '[1]' },
  };
  const lease = object({ metadata, spec });
  const revoked = object({
    metadata: { ...metadata, annotations: { 'hostler.dev/revoked-by': 'LeaseExpired' } },
    spec: { ...spec, holderIdentity: '' },
  });
  const annotated = (from: KubeObject, annotations: object, more: object = {}): Change =>
    update({
      ...from,
      metadata: { ...from.metadata, annotations: { ...from.metadata.annotations, ...annotations } },
      spec: { ...(from as { spec?: object }).spec, ...more },
    });
  const asked = { 'hostler.dev/rejoin': 'true' };
  refusals({ group: LEASES, resource: 'leases', namespace: NODES, name: 'host-1' }, [
    ['renewed', lease, annotated(lease, { 'hostler.dev/guard': 'armed' }, { renewTime: 'b' }), undefined],
    ['asked for again', revoked, annotated(revoked, asked), undefined],
    ['another term', lease, annotated(lease, {}, { leaseTransitions: 4 }), 'leaseTransitions'],
    ['let in by itself', revoked, annotated(revoked, asked, { holderIdentity: 'host-1' }), 'holderIdentity'],
    [
      'without what revoked it',
      revoked,
      annotated(revoked, { 'hostler.dev/revoked-by': undefined }),
      'revoked-by',
    ],
    ['without its losses', lease, annotated(lease, { 'hostler.dev/losses': '[]' }), 'losses'],
    [
      'with an owner',
      lease,
      update({ metadata: { ...metadata, ownerReferences: [{}] }, spec }),
      'spec and annotations',
    ],
  ]);
  const fresh = { name: 'host-1', namespace: NODES, annotations: asked };
  refusals({ group: LEASES, resource: 'leases', namespace: NODES }, [
    [
      'a new one, asked for',
      undefined,
      create({ metadata: fresh, spec: { holderIdentity: '', leaseTransitions: 0 } }),
      undefined,
    ],
    [
      'a new one, taken',
      undefined,
      create({ metadata: fresh, spec: { holderIdentity: 'host-1' } }),
      'holderIdentity',
    ],
    [
      'a new one of a late term',
      undefined,
      create({ metadata: fresh, spec: { leaseTransitions: 9 } }),
      'leaseTransitions',
    ],
    ["a new one of another's", undefined, create({ metadata: { ...fresh, name: 'host-2' } }), 'its own'],
  ]);
});

describe('a request for a certificate', () => {
  const metadata = { name: 'host-1.abc' };
  const spec = { signerName: 'hostler.dev/node' };
  refusals({ group: 'certificates.k8s.io', resource: 'certificatesigningrequests' }, [
    ['by its own name', undefined, create({ metadata, spec }), undefined],
    [
      "by another's name",
      undefined,
      create({ metadata: { name: 'host-12.abc' }, spec }),
      'its own certificate',
    ],
    [
      'by a name that is made up',
      undefined,
      create({ metadata: { generateName: 'x' }, spec }),
      'its own certificate',
    ],
    [
      'for another signer',
      undefined,
      create({ metadata, spec: { signerName: 'a.b/c' } }),
      'its own certificate',
    ],
    [
      'that is to stay',
      undefined,
      create({ metadata: { ...metadata, finalizers: ['a'] }, spec }),
      'finalizers',
    ],
  ]);
});

describe('an Event', () => {
  const event = (host?: string): KubeObject =>
    object({ metadata: { name: 'x' }, source: { component: 'a', host } });
  refusals({ resource: 'events', namespace: 'default' }, [
    ['of its own', undefined, { type: 'create', object: event('host-1') }, undefined],
    ["of another's", undefined, { type: 'create', object: event('host-2') }, 'of its own'],
    ["of the leader's", undefined, { type: 'create', object: event() }, 'of its own'],
    ['counted on', event('host-1'), merge({ count: 2 }), undefined],
    ["another's, changed", event('host-2'), merge({ count: 2 }), 'of its own'],
    ['given away', event('host-1'), merge({ source: { host: 'host-2' } }), 'of its own'],
  ]);
});
