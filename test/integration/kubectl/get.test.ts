import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { kinds } from '../../../src/crds/kinds.ts';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { createKubectl, type Kubectl } from '../../support/kubectl.ts';
import { container, documents, pool } from '../../support/manifests.ts';

/** Everything that reads: get in all its forms, describe, explain, discovery. */
let server: TestApiServer;
let kubectl: Kubectl;

beforeAll(async () => {
  server = await startApiServer();
  kubectl = await createKubectl(server.kubeconfigPath);
  await kubectl.run(['create', 'namespace', 'other']);
  await kubectl.apply(
    documents(
      container('a', {}, { labels: { app: 'shop' } }),
      container('b', { rootPool: 'fast' }, { labels: { app: 'shop' } }),
      container('c', {}, { labels: { app: 'blog' } }),
      container('d', {}, { namespace: 'other' }),
      pool('fast'),
    ),
  );
  await kubectl.run([
    'patch',
    'ct',
    'a',
    '--subresource=status',
    '--type=merge',
    '-p',
    JSON.stringify({
      status: { phase: 'Running', nodeName: 'host-1', restarts: 2, epoch: 1, addresses: ['10.0.0.7'] },
    }),
  ]);
});
afterAll(async () => {
  await kubectl.close();
  await server.stop();
});

const rows = (table: string): string[][] =>
  table
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));

describe('kubectl get', () => {
  it("prints the kind's own columns", async () => {
    const table = rows(await kubectl.text(['get', 'containers']));
    expect(table[0]).toEqual(['NAME', 'PHASE', 'NODE', 'IP', 'RESTARTS', 'AGE']);
    expect(table[1]?.slice(0, 5)).toEqual(['a', 'Running', 'host-1', '10.0.0.7', '2']);
    expect(table).toHaveLength(4);
  });

  it('-o wide adds the others', async () => {
    const table = rows(await kubectl.text(['get', 'ct', 'a', '-o', 'wide']));
    expect(table[0]?.slice(6)).toEqual(['IMAGE', 'POOL', 'EPOCH']);
    expect(table[1]?.slice(6)).toEqual(['images:debian/12', 'default', '1']);
  });

  it.each([
    [['-o', 'name'], /^container\.hostler\.dev\/a\n$/],
    [['-o', 'custom-columns=N:.metadata.name,P:.status.phase'], /^N +P\na +Running\n$/],
    [['-o', 'jsonpath={.status.nodeName}'], /^host-1$/],
    [['-o', 'go-template={{.metadata.name}}'], /^a$/],
    [['-o', 'yaml'], /^apiVersion: hostler\.dev\/v1alpha1\nkind: Container\n/],
    [['-o', 'json'], /"kind": "Container"/],
    [['--show-labels'], /LABELS\na .*app=shop\n$/],
    [['-L', 'app'], /APP\na .*shop\n$/],
  ])('get ct a %j', async (args, expected) => {
    expect(await kubectl.text(['get', 'ct', 'a', ...args])).toMatch(expected);
  });

  it.each([
    ['labels', ['-l', 'app=shop'], ['a', 'b']],
    ['a set of labels', ['-l', 'app in (blog, none),app!=shop'], ['c']],
    ['the name', ['--field-selector', 'metadata.name=c'], ['c']],
    ['a field of the status', ['--field-selector', 'status.nodeName=host-1'], ['a']],
    ['a field that is not so', ['--field-selector', 'spec.rootPool!=fast'], ['a', 'c']],
    ['all namespaces', ['-A'], ['a', 'b', 'c', 'd']],
    ['one namespace', ['-n', 'other'], ['d']],
    ['pages of one', ['--chunk-size=1'], ['a', 'b', 'c']],
  ])('selects by %s', async (_name, args, expected) => {
    const names = await kubectl.text([
      'get',
      'ct',
      ...args,
      '-o',
      'jsonpath={range .items[*]}{.metadata.name} {end}',
    ]);
    expect(names.trim().split(' ')).toEqual(expected);
  });

  it('refuses a field that cannot be selected by', async () => {
    const { stderr } = await kubectl.run(['get', 'ct', '--field-selector', 'spec.image=x'], { code: 1 });
    expect(stderr).toContain('field label not supported: spec.image');
  });

  it('--sort-by orders by any field', async () => {
    const table = rows(await kubectl.text(['get', 'ct', '--sort-by=.spec.rootPool']));
    expect(table.slice(1).map(([name]) => name)).toEqual(['a', 'c', 'b']);
  });

  it('several kinds at once, and a category', async () => {
    expect(await kubectl.text(['get', 'ct,sp'])).toContain('storagepool.hostler.dev/fast');
    expect(await kubectl.text(['get', 'hostler'])).toContain('container.hostler.dev/a');
  });

  it('says that there are none, and what there is not', async () => {
    expect((await kubectl.run(['get', 'nodes'])).stderr).toBe('No resources found\n');
    const { stderr } = await kubectl.run(['get', 'pods'], { code: 1 });
    expect(stderr).toBe('error: the server doesn\'t have a resource type "pods"\n');
  });

  it('-w follows the changes', async () => {
    const watch = kubectl.start(['get', 'ct', '-n', 'other', '-w']);
    await watch.until(/^d /m);
    await kubectl.run([
      'patch',
      'ct',
      'd',
      '-n',
      'other',
      '--subresource=status',
      '--type=merge',
      '-p',
      '{"status":{"phase":"Failed"}}',
    ]);
    const output = await watch.until(/^d +Failed/m);
    expect(output.match(/NAME/g)).toHaveLength(1);
    await watch.stop();
  });

  it('--watch-only and --output-watch-events begin with the next change', async () => {
    await kubectl.apply(pool('watched'));
    const watch = kubectl.start(['get', 'sp', '--watch-only', '--output-watch-events', '-o', 'name']);
    // Nothing tells that the watch has begun: change, until it says so.
    let isSeen = false;
    const seen = watch.until(/storagepool/).finally(() => (isSeen = true));
    const isDone = (): boolean => isSeen;
    for (let round = 0; !isDone(); round++) {
      await kubectl.run(['annotate', 'sp', 'watched', `round=${round}`, '--overwrite']);
    }
    const output = await seen;
    expect(output).not.toContain('fast');
    await watch.stop();
  });

  it('--raw gives any path', async () => {
    expect(await kubectl.text(['get', '--raw', '/readyz?verbose'])).toContain('[+]etcd ok');
    const list = JSON.parse(
      await kubectl.text(['get', '--raw', '/apis/hostler.dev/v1alpha1/containers?limit=1']),
    ) as { kind: string; items: object[]; metadata: { continue: string } };
    expect(list.kind).toBe('ContainerList');
    expect(list.items).toHaveLength(1);
    expect(list.metadata.continue).not.toBe('');
  });
});

describe('kubectl describe and events', () => {
  it('shows the object with its events', async () => {
    const uid = await kubectl.text(['get', 'ct', 'a', '-o', 'jsonpath={.metadata.uid}']);
    await kubectl.run(['create', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'a.1', namespace: 'default' },
        involvedObject: {
          apiVersion: 'hostler.dev/v1alpha1',
          kind: 'Container',
          namespace: 'default',
          name: 'a',
          uid,
        },
        reason: 'Started',
        message: 'Started on host-1',
        type: 'Normal',
        source: { component: 'hostler-agent' },
        firstTimestamp: new Date().toISOString(),
        lastTimestamp: new Date().toISOString(),
        count: 1,
      }),
    });
    const described = await kubectl.text(['describe', 'ct', 'a']);
    expect(described).toMatch(/Node Name: +host-1/);
    expect(described).toMatch(/Normal +Started +\S+ +hostler-agent +Started on host-1/);
    const table = rows(await kubectl.text(['get', 'events']));
    expect(table[0]).toEqual(['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE']);
    expect(table[1]?.slice(1)).toEqual(['Normal', 'Started', 'container/a', 'Started on host-1']);
    expect(await kubectl.text(['events', '--for', 'containers.hostler.dev/a'])).toContain(
      'Started on host-1',
    );
  });
});

describe('kubectl explain', () => {
  it.each([
    [['containers'], /KIND: +Container\nVERSION: +v1alpha1/],
    [['ct.spec.image'], /FIELD: image <string>/],
    [['ct', '--recursive'], /nodeSelector\t<map\[string\]string>/],
    [['cm.metadata.ownerReferences.uid'], /FIELD: uid <string>/],
    [['ct.status.conditions'], /observedGeneration/],
    [['nodes', '--output=plaintext-openapiv2'], /KIND: +Node/],
  ])('explain %j', async (args, expected) => {
    expect(await kubectl.text(['explain', ...args])).toMatch(expected);
  });

  it('refuses a field that there is not', async () => {
    const { stderr } = await kubectl.run(['explain', 'ct.spec.nothing'], { code: 1 });
    expect(stderr).toContain('field "nothing" does not exist');
  });
});

describe('discovery', () => {
  it('api-resources lists what there is, with short names and verbs that work', async () => {
    const table = await kubectl.text(['api-resources', '-o', 'wide']);
    expect(table).toMatch(
      /containers +ct +hostler\.dev\/v1alpha1 +true +Container +create,delete,deletecollection,get,list,patch,update,watch +hostler/,
    );
    expect(table).toMatch(/namespaces +ns +v1 +false +Namespace/);
    const mine = await kubectl.text(['api-resources', '--api-group=hostler.dev', '-o', 'name']);
    const all = kinds.map(({ resource, group }) => `${resource}.${group}`);
    expect(mine.trim().split('\n').sort()).toEqual(all.toSorted());
  });

  it('api-versions', async () => {
    expect((await kubectl.text(['api-versions'])).trim().split('\n')).toEqual(
      expect.arrayContaining(['v1', 'coordination.k8s.io/v1', 'hostler.dev/v1alpha1']),
    );
  });

  it('version and cluster-info', async () => {
    const { serverVersion } = await kubectl.json<{ serverVersion: { gitVersion: string } }>(['version']);
    expect(serverVersion.gitVersion).toMatch(/^v1\.32\.\d+\+hostler-/);
    expect(await kubectl.text(['cluster-info'])).toContain(server.url);
  });

  it('auth whoami and can-i', async () => {
    expect(await kubectl.text(['auth', 'whoami'])).toMatch(/Username +hostler:admin/);
    expect(await kubectl.text(['auth', 'can-i', 'delete', 'containers'])).toBe('yes\n');
    const path = await kubectl.file('bob', await server.kubeconfigFor('bob', []), 0o600);
    const answer = await kubectl.run(['auth', 'can-i', 'get', 'ct', '--kubeconfig', path], { code: 1 });
    expect(answer.stdout).toBe('no\n');
  });

  it('config view shows no secret', async () => {
    const view = await kubectl.text(['config', 'view']);
    expect(view).toContain(server.url);
    expect(view).not.toContain('BEGIN');
    expect(await kubectl.text(['config', 'current-context'])).toBe('hostler:admin@hostler\n');
  });
});
