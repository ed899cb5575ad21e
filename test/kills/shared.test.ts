import { describe } from '@jest/globals';
import { ALL_KILLS, describeKills } from '../e2e/migration/kills.ts';
import { SHARED_ROOT } from '../e2e/migration/shared.ts';
import { useCluster } from '../e2e/scene.ts';

const trial = useCluster();

describe('a migration of a root on shared storage', () => {
  // Nothing of it is copied.
  const kills = ALL_KILLS.filter(({ phase }) => phase !== 'Copying');
  describeKills(trial, SHARED_ROOT, kills);
});
