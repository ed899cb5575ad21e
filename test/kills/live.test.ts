import { describe, it } from '@jest/globals';
import { ALL_KILLS, describeKills, LATER_KILLS } from '../e2e/migration/kills.ts';
import {
  describeDeletions,
  describeFailedRestores,
  describeLiveMoves,
  isLiveInstalled,
} from '../e2e/migration/live.ts';
import { useCluster } from '../e2e/scene.ts';

if (isLiveInstalled) {
  const trial = useCluster({ live: true });
  describe('a live migration', () => {
    describeLiveMoves(trial);
    describeDeletions(trial);
    describeFailedRestores(trial);
    describeKills(trial, { mode: 'LiveIfPossible' }, [...ALL_KILLS, ...LATER_KILLS]);
  });
} else {
  describe('a live migration', () => {
    it.todo('wants criu: scripts/setup --live');
  });
}
