import { describe } from '@jest/globals';
import { ALL_KILLS, describeKills } from '../e2e/migration/kills.ts';
import { useCluster } from '../e2e/scene.ts';

const trial = useCluster();

describe('a cold migration', () => {
  describeKills(trial, { mode: 'Cold' }, ALL_KILLS);
});
