import { describe } from '@jest/globals';
import { describeColdMoves } from './migration/cold.ts';
import { describeKills, SOME_KILLS } from './migration/kills.ts';
import { describeRefusals } from './migration/refusals.ts';
import { describeSharedMoves, SHARED_ROOT, SHARED_VOLUME, SOME_SHARED_KILLS } from './migration/shared.ts';
import { useCluster } from './scene.ts';

const trial = useCluster();

describe('a cold migration', () => {
  describeColdMoves(trial);
  describeKills(trial, { mode: 'Cold' }, SOME_KILLS);
});
describe('a migration of what is on shared storage', () => {
  describeSharedMoves(trial);
  describeKills(trial, SHARED_ROOT, SOME_SHARED_KILLS);
  describeKills(trial, SHARED_VOLUME, [{ victim: "the source's agent", phase: 'SwitchingOver' }]);
});
describe('a Migration that cannot be', () => {
  describeRefusals(trial);
});
