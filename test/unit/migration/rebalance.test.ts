import { afterEach, expect, it } from '@jest/globals';
import type { ClusterPolicy } from '../../../src/crds/cluster-policy.ts';
import { API_VERSION } from '../../../src/crds/kind.ts';
import { type Migration, migrationKind } from '../../../src/crds/migration.ts';
import { type MigrationTrial, startMigrations } from '../../support/migration-trial.ts';

/** With real controllers and agents, over daemons in memory. */
let trial: MigrationTrial;
afterEach(() => trial.stop());

const NAMES = ['one', 'two', 'three', 'four', 'five', 'six'];
const policy: ClusterPolicy = {
  apiVersion: API_VERSION,
  kind: 'ClusterPolicy',
  metadata: { name: 'cluster', uid: 'uid-policy', generation: 1 },
  spec: { rebalance: { maxMoves: 2, window: '30s', cooldown: '30s' } },
};

it('a crowded host is relieved, with all files, and after that nothing moves any more', async () => {
  trial = await startMigrations(['host-1', 'host-2', 'host-3'], policy);
  for (const name of NAMES) {
    await trial.place(name, 'host-1', {
      migration: { policy: 'Cold' },
      // Of the 8Gi that a host in memory has.
      resources: { memory: '1Gi' },
    });
    trial.write(name, 'kept', name);
  }
  const count = (): number => trial.store.all<Migration>(migrationKind).length;
  expect(await trial.until(() => count() === 4, 180)).toBe(true);
  await trial.run(10);
  const places = NAMES.map((name) => trial.container(name).status?.nodeName ?? '');
  expect(places.toSorted()).toEqual(['host-1', 'host-1', 'host-2', 'host-2', 'host-3', 'host-3']);
  expect(NAMES.map((name) => trial.read(name, 'kept'))).toEqual(NAMES);
  await trial.run(120);
  expect(count()).toBe(4);
});
