import { expect } from '@jest/globals';
import { type TestCluster } from '../../support/cluster.ts';
import { eventually, throughout } from '../../support/waiting.ts';
import { container, type Trial } from '../scene.ts';

const KINDS = [
  '/api/v1/namespaces',
  '/api/v1/events',
  '/api/v1/configmaps',
  '/api/v1/secrets',
  '/apis/hostler.dev/v1alpha1/nodes',
  '/apis/hostler.dev/v1alpha1/storagepools',
  '/apis/hostler.dev/v1alpha1/containers',
];
const WINDOW_MS = 15_000;

export function describeRest(trial: Trial): void {
  trial.it('writes nothing besides leases once everything is as it should be', async (scene) => {
    const { cluster } = scene;
    const names = ['calm-1', 'calm-2', 'calm-3', 'calm-4'];
    await scene.apply(...names.map((name) => container(name)));
    await scene.untilReady(...names);
    for (const name of names) {
      await scene.until('has an address', name, ({ status }) => status?.addresses?.[0] !== undefined);
    }
    const leases = await leaseVersions(cluster);
    // The last words about what has just happened (Events, images) may still be on their way.
    let before = await versions(cluster);
    await eventually(
      'two looks in a row show the same',
      async () => {
        const earlier = before;
        before = await versions(cluster);
        return earlier === before;
      },
      (isSame) => isSame,
    );
    await throughout(
      'nothing is written',
      () => versions(cluster),
      (now) => now === before,
      WINDOW_MS,
    );
    const renewed = await leaseVersions(cluster);
    expect(Object.keys(renewed)).toEqual(['host-1', 'host-2', 'host-3']);
    for (const node of Object.keys(renewed)) expect(renewed[node]).not.toBe(leases[node]);
  });
}

interface Listed {
  items: { metadata: { name: string; namespace?: string; resourceVersion: string } }[];
}

/** One line for each object of every kind, leases excepted. */
async function versions(cluster: TestCluster): Promise<string> {
  const lists = await Promise.all(KINDS.map((path) => cluster.get<Listed>(path)));
  return lists
    .flatMap((list, index) =>
      (list?.items ?? []).map(
        ({ metadata: { namespace = '', name, resourceVersion } }) =>
          `${KINDS[index]} ${namespace}/${name} ${resourceVersion}`,
      ),
    )
    .join('\n');
}

async function leaseVersions(cluster: TestCluster): Promise<Record<string, string>> {
  const path = '/apis/coordination.k8s.io/v1/namespaces/hostler-nodes/leases';
  const { items } = (await cluster.get<Listed>(path)) ?? { items: [] };
  return Object.fromEntries(items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
}
