import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { createKubectl, type Kubectl } from '../../support/kubectl.ts';
import { configMap, container, documents } from '../../support/manifests.ts';

/** Changes to single objects, deletion in its forms, waiting, and commands that cannot work here. */
let server: TestApiServer;
let kubectl: Kubectl;

beforeAll(async () => {
  server = await startApiServer();
  kubectl = await createKubectl(server.kubeconfigPath);
});
afterAll(async () => {
  await kubectl.close();
  await server.stop();
});

const field = (name: string, path: string): Promise<string> =>
  kubectl.text(['get', 'ct', name, '-o', `jsonpath={${path}}`]);

const setStatus = (name: string, status: object): Promise<unknown> =>
  kubectl.run([
    'patch',
    'ct',
    name,
    '--subresource=status',
    '--type=merge',
    '-p',
    JSON.stringify({ status }),
  ]);

describe('kubectl patch, label, annotate, edit', () => {
  beforeAll(() => kubectl.apply(container('web')));

  it('merge patch', async () => {
    await kubectl.run(['patch', 'ct', 'web', '--type=merge', '-p', '{"spec":{"power":"Stopped"}}']);
    expect(await field('web', '.spec.power')).toBe('Stopped');
  });

  it('JSON patch', async () => {
    const patch =
      '[{"op":"test","path":"/spec/power","value":"Stopped"},{"op":"replace","path":"/spec/power","value":"Running"}]';
    await kubectl.run(['patch', 'ct', 'web', '--type=json', '-p', patch]);
    expect(await field('web', '.spec.power')).toBe('Running');
  });

  it('JSON patch whose test fails changes nothing', async () => {
    const patch = '[{"op":"test","path":"/spec/power","value":"Stopped"}]';
    const { stderr } = await kubectl.run(['patch', 'ct', 'web', '--type=json', '-p', patch], { code: 1 });
    expect(stderr).not.toBe('');
  });

  it('strategic merge patch is refused for a custom kind, as Kubernetes words it', async () => {
    const { stderr } = await kubectl.run(['patch', 'ct', 'web', '-p', '{"spec":{}}'], { code: 1 });
    expect(stderr).toContain(
      'application/strategic-merge-patch+json is not supported by hostler.dev/v1alpha1, Kind=Container: the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json',
    );
  });

  it('label and annotate, and take away again', async () => {
    await kubectl.run(['label', 'ct', 'web', 'tier=front']);
    expect(await kubectl.text(['get', 'ct', '-l', 'tier=front', '-o', 'name'])).toContain('web');
    const { stderr } = await kubectl.run(['label', 'ct', 'web', 'tier=back'], { code: 1 });
    expect(stderr).toContain("'tier' already has a value (front), and --overwrite is false");
    await kubectl.run(['label', 'ct', 'web', 'tier-']);
    expect(await kubectl.text(['get', 'ct', '-l', 'tier', '-o', 'name'])).toBe('');
    await kubectl.run(['annotate', 'ct', 'web', 'note=hello']);
    expect(await field('web', '.metadata.annotations.note')).toBe('hello');
  });

  it('edit writes what the editor changed', async () => {
    const editor = await kubectl.file(
      'editor',
      '#!/bin/sh\nsed -i \'s/power: Running/power: Stopped/\' "$1"\n',
      0o755,
    );
    const { stdout } = await kubectl.run(['edit', 'ct', 'web'], { env: { KUBE_EDITOR: editor } });
    expect(stdout).toBe('container.hostler.dev/web edited\n');
    expect(await field('web', '.spec.power')).toBe('Stopped');
  });

  it('edit of a built-in kind', async () => {
    await kubectl.apply(configMap('edited', { a: 'before' }));
    const editor = await kubectl.file('editor2', '#!/bin/sh\nsed -i \'s/a: before/a: after/\' "$1"\n', 0o755);
    await kubectl.run(['edit', 'cm', 'edited'], { env: { KUBE_EDITOR: editor } });
    expect(await kubectl.text(['get', 'cm', 'edited', '-o', 'jsonpath={.data.a}'])).toBe('after');
  });
});

describe('kubectl wait', () => {
  it('for a condition', async () => {
    await kubectl.apply(container('waited'));
    const late = await kubectl.run(['wait', '--for=condition=Ready', 'ct/waited', '--timeout=1s'], {
      code: 1,
    });
    expect(late.stderr).toContain('timed out waiting for the condition on containers/waited');
    const waiting = kubectl.start(['wait', '--for=condition=Ready', 'ct/waited', '--timeout=15s']);
    await setStatus('waited', {
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'Running',
          message: '',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    });
    expect(await waiting.until(/condition met/)).toContain('container.hostler.dev/waited condition met');
  });

  it('for a field', async () => {
    await setStatus('waited', { phase: 'Running' });
    expect(
      await kubectl.text(['wait', '--for=jsonpath={.status.phase}=Running', 'ct/waited', '--timeout=5s']),
    ).toContain('condition met');
  });

  it('for creation and for deletion', async () => {
    const created = kubectl.start(['wait', '--for=create', 'ct/later', '--timeout=15s']);
    await kubectl.apply(container('later'));
    await created.until(/condition met/);
    const deleted = kubectl.start(['wait', '--for=delete', 'ct/later', '--timeout=15s']);
    await kubectl.run(['delete', 'ct', 'later']);
    expect((await deleted.stop()).stderr).not.toContain('timed out');
  });
});

/** `NotFound` when there is no such ConfigMap. */
async function ownersOf(name: string): Promise<string> {
  const { code, stdout, stderr } = await kubectl.run(['get', 'cm', name, '-o', 'json'], { code: 'any' });
  if (code !== 0) return stderr.includes('(NotFound)') ? 'NotFound' : stderr;
  const { metadata } = JSON.parse(stdout) as { metadata: { ownerReferences?: object[] } };
  return JSON.stringify(metadata.ownerReferences ?? []);
}

/** What `read` gives once it is `expected`, or after so many tries: garbage collection takes its time. */
async function eventually(read: () => Promise<string>, expected: string): Promise<string> {
  let value = await read();
  for (let tries = 0; tries < 100 && value !== expected; tries++) value = await read();
  return value;
}

describe('kubectl delete', () => {
  it('waits until a finalizer is gone', async () => {
    await kubectl.apply(container('held', {}, { finalizers: ['example.com/hold'] }));
    const deleting = kubectl.start(['delete', 'ct', 'held']);
    await deleting.until(/container\.hostler\.dev "held" deleted/);
    expect(await field('held', '.metadata.deletionTimestamp')).not.toBe('');
    await kubectl.run(['patch', 'ct', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
    expect((await deleting.stop()).code).toBeDefined();
    await kubectl.run(['wait', '--for=delete', 'ct/held', '--timeout=5s']);
  });

  it('--wait=false returns at once', async () => {
    await kubectl.apply(container('left', {}, { finalizers: ['example.com/hold'] }));
    expect(await kubectl.text(['delete', 'ct', 'left', '--wait=false'])).toContain('deleted');
    await kubectl.run(['patch', 'ct', 'left', '--type=merge', '-p', '{"metadata":{"finalizers":[]}}']);
  });

  it.each([
    ['-l', ['-l', 'batch=1'], ['keep']],
    ['--all', ['--all'], []],
  ])('%s deletes those and no other', async (_name, args, left) => {
    await kubectl.run(['create', 'namespace', `batch${left.length}`]);
    const namespace = `batch${left.length}`;
    await kubectl.apply(
      documents(
        container('one', {}, { namespace, labels: { batch: '1' } }),
        container('two', {}, { namespace, labels: { batch: '1' } }),
        container('keep', {}, { namespace }),
      ),
    );
    await kubectl.run(['delete', 'ct', '-n', namespace, ...args]);
    const { items } = await kubectl.json<{ items: { metadata: { name: string } }[] }>([
      'get',
      'ct',
      '-n',
      namespace,
    ]);
    expect(items.map(({ metadata }) => metadata.name)).toEqual(left);
  });

  it('--grace-period=0 --force', async () => {
    await kubectl.apply(container('forced'));
    expect((await kubectl.run(['delete', 'ct', 'forced', '--grace-period=0', '--force'])).stdout).toContain(
      'container.hostler.dev "forced" force deleted',
    );
  });

  it.each([
    ['background', 'NotFound'],
    ['orphan', '[]'],
    ['foreground', 'NotFound'],
  ])('--cascade=%s: what the object owned', async (cascade, expected) => {
    const owner = `owner-${cascade}`;
    await kubectl.apply(configMap(owner, {}));
    const uid = await kubectl.text(['get', 'cm', owner, '-o', 'jsonpath={.metadata.uid}']);
    const ownerReferences = [
      { apiVersion: 'v1', kind: 'ConfigMap', name: owner, uid, blockOwnerDeletion: true },
    ];
    await kubectl.apply(configMap(`owned-${cascade}`, {}, { ownerReferences }));
    await kubectl.run(['delete', 'cm', owner, `--cascade=${cascade}`]);
    expect(await eventually(() => ownersOf(`owned-${cascade}`), expected)).toBe(expected);
  });

  it('a namespace with everything in it', async () => {
    await kubectl.run(['create', 'namespace', 'gone']);
    await kubectl.apply(
      documents(container('x', {}, { namespace: 'gone' }), configMap('settings', {}, { namespace: 'gone' })),
    );
    await kubectl.run(['delete', 'namespace', 'gone']);
    expect((await kubectl.run(['get', 'ns', 'gone'], { code: 1 })).stderr).toContain(
      'namespaces "gone" not found',
    );
    expect(await kubectl.text(['get', 'ct,cm', '-n', 'gone', '-o', 'name'])).toBe('');
  });

  it('what is not there', async () => {
    const { stderr } = await kubectl.run(['delete', 'ct', 'nobody'], { code: 1 });
    expect(stderr).toBe('Error from server (NotFound): containers.hostler.dev "nobody" not found\n');
    await kubectl.run(['delete', 'ct', 'nobody', '--ignore-not-found']);
  });
});

describe('what does not apply to containers', () => {
  beforeAll(() => kubectl.apply(container('plain')));

  it.each([
    [['scale', 'ct', 'plain', '--replicas=2'], 'the server could not find the requested resource'],
    [['rollout', 'status', 'ct/plain'], 'no kind "Container" is registered'],
    [['rollout', 'restart', 'ct/plain'], 'no kind "Container" is registered'],
    [['autoscale', 'ct', 'plain', '--max=2'], 'cannot autoscale'],
    [['logs', 'ct/plain'], 'no kind "Container" is registered'],
  ])('%j fails with a proper error', async (args, message) => {
    const { stderr } = await kubectl.run(args, { code: 1 });
    expect(stderr).toContain(message);
  });
});
