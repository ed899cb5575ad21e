import { describe } from '@jest/globals';
import { describeColdMoves } from './migration/cold.ts';
import { describeRefusals } from './migration/refusals.ts';
import { useCluster } from './scene.ts';

const trial = useCluster();

describe('a cold migration', () => {
  describeColdMoves(trial);
});
describe('a Migration that cannot be', () => {
  describeRefusals(trial);
});
