import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';

const folder = fileURLToPath(new URL('../../../manifests/deploy', import.meta.url));

it('kubectl kustomize manifests/deploy gives the kinds, the namespace and the roles', async () => {
  const { stdout } = await promisify(execFile)('kubectl', ['kustomize', folder], { timeout: 20_000 });
  const objects = parseAllDocuments(stdout).map(
    (document) => document.toJS() as { kind: string; metadata: { name: string } },
  );
  const names = objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  expect(names).toEqual(
    expect.arrayContaining([
      'CustomResourceDefinition/clusterpolicies.hostler.dev',
      'CustomResourceDefinition/containers.hostler.dev',
      'CustomResourceDefinition/disruptionbudgets.hostler.dev',
      'CustomResourceDefinition/migrations.hostler.dev',
      'CustomResourceDefinition/nodes.hostler.dev',
      'CustomResourceDefinition/storagepools.hostler.dev',
      'Namespace/hostler-nodes',
      'ClusterRole/hostler-agent',
      'ClusterRole/hostler-controller',
    ]),
  );
  expect(new Set(names).size).toBe(names.length);
});
