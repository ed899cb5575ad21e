import { systemClock } from '../../../src/ports/clock.ts';
import { createFakeHost } from '../../support/fake-host.ts';
import type { SharedInstance } from '../../support/fake-shared-roots.ts';
import { sharedRootContract } from './suite.ts';

sharedRootContract('roots on shared storage: the fake host', async () => {
  const roots = new Map<string, SharedInstance>();
  const files = new Map<string, string>();
  const [hostA, hostB] = [createFakeHost(systemClock, roots), createFakeHost(systemClock, roots)];
  for (const host of [hostA, hostB]) host.images.set('images:debian/12', 'a'.repeat(64));
  return {
    hostA,
    hostB,
    image: 'images:debian/12',
    network: hostA.facts.networks[0] ?? '',
    folder: async (name) => `/shared/${name}`,
    write: async (source, _instance, text) => void files.set(source, text),
    read: async (source) => (roots.has(source) ? files.get(source) : undefined),
    // Its recovery is never half done.
    cutShort: () => Promise.resolve(),
    shiftsOwners: true,
    seenInside: async (host, instance, source) =>
      [hostA, hostB].some(
        (fake) => fake === host && fake.instances.get(instance)?.spec.volumes?.[0]?.source === source,
      ),
    stop: async () => {
      await Promise.all([hostA.close(), hostB.close()]);
    },
  };
});
