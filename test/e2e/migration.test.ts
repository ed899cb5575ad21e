import { describe } from '@jest/globals';
import { describeColdMoves } from './migration/cold.ts';
import { describeKills, SOME_KILLS } from './migration/kills.ts';
import { describeRefusals } from './migration/refusals.ts';
import { useCluster } from './scene.ts';

const trial = useCluster();

describe('a cold migration', () => {
  describeColdMoves(trial);
  describeKills(trial, 'Cold', SOME_KILLS);
});
describe('a Migration that cannot be', () => {
  describeRefusals(trial);
});
