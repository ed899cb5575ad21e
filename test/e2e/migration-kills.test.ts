import { describe } from '@jest/globals';
import { describeKills } from './migration/kills.ts';
import { useCluster } from './scene.ts';

const trial = useCluster();

describe('a cold migration', () => {
  describeKills(trial, 'Cold');
});
