import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { createKubectl, type Kubectl } from '../../support/kubectl.ts';
import { configMap, container, documents, pool } from '../../support/manifests.ts';

/** What the stock kubectl's apply, diff, create and replace do against the embedded API server. */
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

describe('kubectl apply', () => {
  it('creates, leaves alone and configures a custom resource', async () => {
    expect(await kubectl.apply(container('web'))).toBe('container.hostler.dev/web created\n');
    expect(await kubectl.apply(container('web'))).toBe('container.hostler.dev/web unchanged\n');
    expect(await kubectl.apply(container('web', { power: 'Stopped' }))).toBe(
      'container.hostler.dev/web configured\n',
    );
    expect(await kubectl.text(['get', 'ct', 'web', '-o', 'jsonpath={.spec.power}'])).toBe('Stopped');
  });

  it('takes away what the manifest no longer has, and keeps what it never had', async () => {
    await kubectl.apply(container('lean', { config: { 'security.nesting': 'true' } }));
    await kubectl.run(['annotate', 'ct', 'lean', 'kept=yes']);
    await kubectl.apply(container('lean'));
    const lean = await kubectl.json<{ spec: object; metadata: { annotations: object } }>([
      'get',
      'ct',
      'lean',
    ]);
    expect(lean.spec).not.toHaveProperty('config');
    expect(lean.metadata.annotations).toMatchObject({ kept: 'yes' });
  });

  it('patches a built-in kind with a strategic merge patch', async () => {
    await kubectl.apply(configMap('settings', { a: '1', b: '2' }));
    expect(await kubectl.apply(configMap('settings', { a: '1', c: '3' }))).toBe(
      'configmap/settings configured\n',
    );
    const { data } = await kubectl.json<{ data: object }>(['get', 'cm', 'settings']);
    expect(data).toEqual({ a: '1', c: '3' });
  });

  it('refuses a ClusterPolicy that makes no sense, with the rule and the reason, and takes one that does', async () => {
    const policy = (nodeLease: object, name = 'cluster'): string =>
      documents({
        apiVersion: 'hostler.dev/v1alpha1',
        kind: 'ClusterPolicy',
        metadata: { name },
        spec: { nodeLease },
      });
    const refused = async (manifest: string): Promise<string> =>
      (await kubectl.run(['apply', '-f', '-'], { input: manifest, code: 1 })).stderr;
    expect(await refused(policy({ renew: '5s', duration: '5s' }))).toContain(
      'spec.nodeLease.duration: Invalid value: "5s": must be at least 5 × renew (25000ms)',
    );
    expect(await refused(policy({ duration: '-5s' }))).toContain('spec.nodeLease.duration');
    expect(await refused(policy({ fenceDelay: '0s' }))).toContain(
      'spec.nodeLease.fenceDelay: Invalid value: "0s": must be at least 625ms',
    );
    expect(await refused(policy({}, 'other'))).toContain('metadata.name');
    const quick = policy({ renew: '400ms', duration: '2s', fenceDelay: '1s' });
    expect(await kubectl.apply(quick)).toBe('clusterpolicy.hostler.dev/cluster created\n');
    const table = await kubectl.text(['get', 'cpol']);
    expect(table).toMatch(/cluster +400ms +2s +1s/);
  });

  it('applies several documents of one file in order', async () => {
    const manifest = documents(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      pool('fast'),
      container('db', { rootPool: 'fast' }, { namespace: 'shop' }),
    );
    expect(await kubectl.apply(manifest)).toBe(
      'namespace/shop created\nstoragepool.hostler.dev/fast created\ncontainer.hostler.dev/db created\n',
    );
  });

  it('stores nothing with --dry-run', async () => {
    expect(await kubectl.apply(container('ghost'), '--dry-run=server')).toContain('created (server dry run)');
    expect(await kubectl.apply(container('ghost'), '--dry-run=client')).toContain('created (dry run)');
    const { stderr } = await kubectl.run(['get', 'ct', 'ghost'], { code: 1 });
    expect(stderr).toContain('Error from server (NotFound): containers.hostler.dev "ghost" not found');
  });

  it('refuses server-side apply with a message that says what to do', async () => {
    const { stderr } = await kubectl.run(['apply', '--server-side', '-f', '-'], {
      input: JSON.stringify(container('web')),
      code: 1,
    });
    expect(stderr).toContain('server-side apply is not supported by this server: use client-side apply');
  });

  it.each([
    ['strict', 1, /strict decoding error: unknown field "spec.bogus"/],
    ['warn', 0, /^Warning: unknown field "spec.bogus"\n$/],
    ['ignore', 0, /^$/],
  ])('--validate=%s: an unknown field', async (validate, code, message) => {
    const input = JSON.stringify(container(`unknown-${validate}`, { bogus: 1 }));
    const { stderr } = await kubectl.run(['apply', '-f', '-', `--validate=${validate}`], { input, code });
    expect(stderr).toMatch(message);
  });

  it('shows the fault of a wrong value with its path', async () => {
    const input = JSON.stringify(container('wrong', { power: 'Sideways' }));
    const { stderr } = await kubectl.run(['apply', '-f', '-'], { input, code: 1 });
    expect(stderr).toContain(
      'The Container "wrong" is invalid: spec.power: Unsupported value: "Sideways": supported values: "Running", "Stopped"',
    );
  });
});

describe('kubectl diff', () => {
  it('shows what would change, and nothing when nothing would', async () => {
    await kubectl.apply(container('differing'));
    const same = await kubectl.run(['diff', '-f', '-'], { input: JSON.stringify(container('differing')) });
    expect(same.stdout).toBe('');
    const input = JSON.stringify(container('differing', { power: 'Stopped' }));
    const { stdout } = await kubectl.run(['diff', '-f', '-'], { input, code: 1 });
    expect(stdout).toContain('-  power: Running\n+  power: Stopped\n');
  });
});

describe('kubectl create and replace', () => {
  it('creates from a file, once', async () => {
    const input = JSON.stringify(container('once'));
    expect((await kubectl.run(['create', '-f', '-'], { input })).stdout).toBe(
      'container.hostler.dev/once created\n',
    );
    const { stderr } = await kubectl.run(['create', '-f', '-'], { input, code: 1 });
    expect(stderr).toContain('(AlreadyExists)');
    expect(stderr).toContain('containers.hostler.dev "once" already exists');
  });

  it('creates namespaces, config maps and secrets by its own commands, which send protobuf', async () => {
    expect(await kubectl.text(['create', 'namespace', 'team'])).toBe('namespace/team created\n');
    await kubectl.run(['create', 'configmap', 'c', '-n', 'team', '--from-literal=key=välue']);
    await kubectl.run(['create', 'secret', 'generic', 's', '-n', 'team', '--from-literal=pass=word']);
    const { data } = await kubectl.json<{ data: object }>(['get', 'cm', 'c', '-n', 'team']);
    expect(data).toEqual({ key: 'välue' });
    const secret = await kubectl.json<{ data: object; type: string }>(['get', 'secret', 's', '-n', 'team']);
    expect(secret).toMatchObject({ data: { pass: 'd29yZA==' }, type: 'Opaque' });
  });

  it('generates a name', async () => {
    const input = JSON.stringify({
      ...container('x'),
      metadata: { generateName: 'made-' },
    });
    const { stdout } = await kubectl.run(['create', '-f', '-'], { input });
    expect(stdout).toMatch(/^container\.hostler\.dev\/made-[a-z0-9]{5} created\n$/);
  });

  it('replaces an object', async () => {
    await kubectl.apply(container('replaced'));
    const input = JSON.stringify(container('replaced', { power: 'Stopped' }));
    expect((await kubectl.run(['replace', '-f', '-'], { input })).stdout).toBe(
      'container.hostler.dev/replaced replaced\n',
    );
  });

  it('replaces by force: deletes and creates again', async () => {
    await kubectl.apply(container('forced'));
    const uid = await kubectl.text(['get', 'ct', 'forced', '-o', 'jsonpath={.metadata.uid}']);
    await kubectl.run(['replace', '--force', '-f', '-'], { input: JSON.stringify(container('forced')) });
    expect(await kubectl.text(['get', 'ct', 'forced', '-o', 'jsonpath={.metadata.uid}'])).not.toBe(uid);
  });
});
