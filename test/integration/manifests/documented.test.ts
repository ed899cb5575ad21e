import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApiServer, type TestApiServer } from '../../support/api-server.ts';
import { createKubectl, type Kubectl } from '../../support/kubectl.ts';

/** What the documentation says of kubectl (docs/user/kubectl.md), and the examples, with the stock kubectl. */
const examples = fileURLToPath(new URL('../../../examples', import.meta.url));
const folders = readdirSync(examples).filter((name) => /^\d\d-/.test(name));

const node = { apiVersion: 'hostler.dev/v1alpha1', kind: 'Node', metadata: { name: 'host-1' }, spec: {} };

let server: TestApiServer;
let kubectl: Kubectl;

beforeAll(async () => {
  server = await startApiServer();
  kubectl = await createKubectl(server.kubeconfigPath);
  await kubectl.apply(node);
});
afterAll(async () => {
  await kubectl.close();
  await server.stop();
});

describe('kubectl apply -f examples/…', () => {
  it.each(folders)('%s creates its objects, and a second time writes nothing', async (folder) => {
    const file = ['-f', `${examples}/${folder}`];
    const versions = () => kubectl.text(['get', ...file, '-o', 'jsonpath={..metadata.resourceVersion}']);
    expect(await kubectl.text(['apply', ...file])).toMatch(/^(\S+ created\n)+$/);
    const before = await versions();
    expect(before).not.toBe('');
    // For a list whose items have defaults kubectl says 'configured', as it does for every custom resource.
    await kubectl.run(['apply', ...file]);
    expect(await versions()).toBe(before);
    expect(await kubectl.text(['diff', ...file])).toBe('');
  });
});

describe('what kubectl cannot do with Hostler', () => {
  it.each<[string, string[], RegExp]>([
    ['cordon', ['cordon', 'host-1'], /no kind "Node" is registered/],
    ['drain', ['drain', 'host-1'], /no kind "Node" is registered/],
    ['taint', ['taint', 'node', 'host-1', 'a=b:NoSchedule'], /no kind "Node" is registered/],
    ['logs', ['logs', 'web-1'], /doesn't have a resource type "pods"/],
    ['exec', ['exec', 'web-1', '--', 'true'], /doesn't have a resource type "pods"/],
    ['rollout restart', ['rollout', 'restart', 'container/web-1'], /no kind "Container" is registered/],
    ['get all', ['get', 'all'], /doesn't have a resource type "all"/],
    [
      'server-side apply',
      ['apply', '--server-side', '-f', `${examples}/01-first-container`],
      /not supported/,
    ],
    [
      'strategic patch',
      ['patch', 'ct', 'web-1', '-p', '{"spec":{"power":"Stopped"}}'],
      /strategic-merge-patch/,
    ],
  ])('%s is refused in words', async (_what, args, words) => {
    const { code, stderr } = await kubectl.run(args, { code: 'any' });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(words);
  });
});

describe('what it can do instead', () => {
  it.each<[string, string]>([
    ['cordon', '{"spec":{"unschedulable":true}}'],
    ['taint', '{"spec":{"taints":[{"key":"dedicated","value":"database","effect":"NoSchedule"}]}}'],
    ['reserve', '{"spec":{"reserved":{"cpu":"500m","memory":"2Gi"}}}'],
  ])('%s a node by a patch', async (_what, patch) => {
    expect(await kubectl.text(['patch', 'node', 'host-1', '--type', 'merge', '-p', patch])).toBe(
      'node.hostler.dev/host-1 patched\n',
    );
  });

  it('prunes containers by a label', async () => {
    const args = [
      'apply',
      '--prune',
      '-l',
      'app=db',
      '--prune-allowlist=hostler.dev/v1alpha1/Container',
      '-f',
      '-',
    ];
    const kept = await kubectl.text(['get', 'ct', 'db-primary', '-o', 'json']);
    expect(await kubectl.text(args, { input: kept })).toMatch(/container.hostler.dev\/db-standby pruned\n/);
  });
});
